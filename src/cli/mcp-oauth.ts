#!/usr/bin/env node
import process from "node:process";
import { CommanderError } from "commander";
import { exitCodes } from "./exit-codes.ts";
import { Output } from "./output.ts";
import { packageVersion } from "./package-version.ts";
import { createProgram } from "./program.ts";

const { stdout, stderr, env: environment, argv } = process;

// Whoever reads the output may stop before its end, as `head` does. Else it is lost, on a full disk for one.
stdout.on("error", ({ code, message }: NodeJS.ErrnoException) => {
  if (code === "EPIPE") process.exit();
  stderr.write(`Error: The output could not be written: ${message}\n`);
  process.exit(exitCodes.failure);
});
// Remarks that nobody takes change nothing about what a command does.
stderr.on("error", () => undefined);

// What `proxy` writes to stdout is for a host.
const isForHost = argv[2] === "proxy" && !argv.includes("--print-config");
const output = new Output({ stdout, stderr, environment, json: argv.includes("--json") && !isForHost });
try {
  await createProgram(packageVersion(), output).parseAsync(argv);
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  // Help and version were asked for, and have been shown; anything else was shown as what is wrong with the command line.
  process.exitCode = error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
}
