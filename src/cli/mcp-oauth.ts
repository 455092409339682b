#!/usr/bin/env node
import process from "node:process";
import { CommanderError } from "commander";
import { exitCodes } from "./exit-codes.ts";
import { Output } from "./output.ts";
import { packageVersion } from "./package-version.ts";
import { createProgram } from "./program.ts";

// Whoever reads the output may stop before its end, as `head` does.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit();
});

const { stdout, stderr, env: environment, argv } = process;
const output = new Output({ stdout, stderr, environment, json: argv.includes("--json") });
try {
  await createProgram(packageVersion(), output).parseAsync(argv);
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  // Help and version were asked for, and have been shown; anything else was shown as what is wrong with the command line.
  process.exitCode = error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
}
