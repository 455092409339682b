// What the command loads once it runs.
export { diagnose } from "./diagnose.ts";
export { requireFree, writeReport } from "./report-file.ts";
export { DiagnosisText } from "./show-diagnosis.ts";
export { exitCodeOf } from "./verdict.ts";
