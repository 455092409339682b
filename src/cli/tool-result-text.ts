import { isJsonObject, type JsonObject } from "../core/json.ts";
import { inertText } from "../core/text.ts";
import type { ToolResult } from "./sdk/load-sdk.ts";

/** The size of something in base64, in words. */
function sizeOf(data: unknown): string {
  const bytes = typeof data === "string" ? Math.floor((data.length * 3) / 4) : 0;
  return bytes < 1024 ? `${bytes} bytes` : `${Math.round(bytes / 1024)} KB`;
}

function noteOf({ type, mimeType, data, uri, name }: JsonObject): string {
  const details = [mimeType, name, uri].filter((each) => typeof each === "string").map((each) => inertText(each));
  const size = data === undefined ? [] : [sizeOf(data)];
  return `[${inertText(String(type))}: ${[...details, ...size].join(", ")}]`;
}

function blockText(block: unknown): string {
  if (!isJsonObject(block)) return "";
  const { type, text, resource } = block;
  if (type === "text" && typeof text === "string") return text;
  if (type === "resource" && isJsonObject(resource)) {
    return typeof resource.text === "string" ? resource.text : noteOf({ ...resource, type, data: resource.blob });
  }
  return noteOf(block);
}

/** Whether one of the texts says in JSON what the structured content says, as older clients need it. */
function isRepeated(texts: readonly string[], structured: unknown): boolean {
  return texts.some((text) => {
    try {
      return JSON.stringify(JSON.parse(text)) === JSON.stringify(structured);
    } catch {
      return false;
    }
  });
}

/** What a tool answered, as text: texts as they are, everything else as a note. */
export function toolResultText({ content = [], structuredContent }: ToolResult): string {
  const texts = content.map(blockText);
  const isNew = structuredContent !== undefined && !isRepeated(texts, structuredContent);
  return [...texts, ...(isNew ? [JSON.stringify(structuredContent, null, 2)] : [])].join("\n");
}
