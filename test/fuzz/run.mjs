// npm run fuzz
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { bundledPrograms } from "../support/bundled-programs.mjs";

const folder = await bundledPrograms("fuzz", ["test/fuzz/main.ts"]);
process.setSourceMapsEnabled(true);
const { main } = await import(pathToFileURL(join(folder, "main.mjs")).href);
process.exitCode = await main(process.argv.slice(2));
