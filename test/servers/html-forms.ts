// Just enough HTML to press the buttons of the pages in this folder; no general parser.

export interface FormField {
  name: string;
  type: string;
  value: string;
}

export interface FormButton {
  name: string;
  value: string;
  text: string;
}

export interface Form {
  action: string | undefined;
  method: string;
  fields: FormField[];
  buttons: FormButton[];
}

export function parseForms(html: string): Form[] {
  return [...html.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/gi)].map(([whole, head = "", inner = ""]) => {
    const attributes = parseAttributes(head);
    const id = attributes.get("id");
    // A button may stand outside its form and name it by id.
    const outside = html.replace(whole, "");
    const buttons = [...parseButtons(inner), ...parseButtons(outside, id)];
    return {
      action: attributes.get("action"),
      method: (attributes.get("method") ?? "get").toUpperCase(),
      fields: parseFields(inner),
      buttons,
    };
  });
}

/** The request a browser would send on pressing `button`. */
export function formSubmission(
  form: Form,
  values: Record<string, string>,
  button: FormButton | undefined,
  pageUrl: string,
): { method: string; url: string; body?: string } {
  const data = new URLSearchParams();
  for (const field of form.fields) {
    if (field.name) data.append(field.name, values[field.name] ?? field.value);
  }
  if (button?.name) data.append(button.name, button.value);
  const url = new URL(form.action || pageUrl, pageUrl);
  if (form.method === "POST") return { method: "POST", url: url.href, body: data.toString() };
  url.search = data.toString();
  return { method: "GET", url: url.href };
}

function parseFields(html: string): FormField[] {
  return [...html.matchAll(/<input\b([^>]*)>/gi)].flatMap(([, head = ""]) => {
    const attributes = parseAttributes(head);
    const type = (attributes.get("type") ?? "text").toLowerCase();
    const ignored = type === "submit" || ((type === "checkbox" || type === "radio") && !attributes.has("checked"));
    return ignored ? [] : [{ name: attributes.get("name") ?? "", type, value: attributes.get("value") ?? "" }];
  });
}

function parseButtons(html: string, formId?: string): FormButton[] {
  return [...html.matchAll(/<button\b([^>]*)>([\s\S]*?)<\/button>/gi)].flatMap(([, head = "", text = ""]) => {
    const attributes = parseAttributes(head);
    const owner = attributes.get("form");
    const belongs = formId === undefined ? owner === undefined : owner === formId;
    const submits = (attributes.get("type") ?? "submit") === "submit";
    return belongs && submits
      ? [{ name: attributes.get("name") ?? "", value: attributes.get("value") ?? "", text: text.trim() }]
      : [];
  });
}

function parseAttributes(head: string): Map<string, string> {
  const attributes = new Map<string, string>();
  for (const [, name = "", double, single, bare] of head.matchAll(
    /([\w:-]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?/g,
  )) {
    attributes.set(name.toLowerCase(), decodeEntities(double ?? single ?? bare ?? ""));
  }
  return attributes;
}

const NAMED: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function decodeEntities(text: string): string {
  return text.replace(/&(?:#(\d+)|#x([\da-f]+)|(\w+));/gi, (whole, decimal?: string, hex?: string, name?: string) => {
    if (decimal) return String.fromCodePoint(Number(decimal));
    if (hex) return String.fromCodePoint(Number.parseInt(hex, 16));
    return NAMED[name ?? ""] ?? whole;
  });
}
