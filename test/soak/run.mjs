// npm run soak
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { bundledPrograms } from "../support/bundled-programs.mjs";

const folder = await bundledPrograms("soak", ["test/soak/main.ts", "test/soak/worker.ts"]);
const { main } = await import(pathToFileURL(join(folder, "main.mjs")).href);
process.exitCode = await main(process.argv.slice(2), folder);
