// The table of requirements as a page of the documentation.

/** @typedef {import("./coverage.mjs").Coverage} Coverage */
/** @typedef {import("./coverage.mjs").CoveredRow} CoveredRow */
/** @typedef {import("./coverage.mjs").Requirement} Requirement */

const REVISIONS = ["2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"];

const INTRODUCTION = `---
title: Requirements
---

<!-- Written by "node test/requirements/check.mjs --write" from test/requirements/requirements.json. Do not edit. -->

# Requirements

What the specifications ask of the client side of OAuth for MCP, each in short words, and the tests that prove it. A
test cites the ids that it proves in its name; the test run fails where an id is cited by no test and has no reason below
why not, and where a reason has become outdated.

Below each of them stand its level in the words of RFC 2119, with a \\* where it is no sentence of a specification but
needed to meet one; the revisions of the MCP specification that have it, or that it comes from an extension of MCP, from
an RFC that MCP rests upon, from MCP's guide of best practice, or from this product, which offers more than MCP asks for;
and where it is written. Tests are named by their files under \`test/\`, without \`.test.ts\`.

AS is short for authorization server, RS for resource server (the MCP server), PRM for protected resource metadata (RFC
9728), DCR for dynamic client registration (RFC 7591), CIMD for client ID metadata document, JAG for identity assertion
grant, IdP for identity provider, RAS for the AS of the resource.
`;

/**
 * @param {Coverage} coverage
 * @returns {string} Markdown
 */
export function documentOf({ rows }) {
  const proven = rows.filter(({ state }) => state !== "excepted" && state !== "open").length;
  const sections = [...new Set(rows.map(({ requirement }) => requirement.section))];
  const tables = sections.map((section) => {
    const own = rows.filter(({ requirement }) => requirement.section === section);
    return [`## ${section}`, "", "| Requirement | Proven by |", "|---|---|"].concat(own.map(lineOf)).join("\n");
  });
  return `${[INTRODUCTION, `${proven} of ${rows.length} are proven by tests.\n`, tables.join("\n\n")].join("\n")}\n`;
}

/** @param {CoveredRow} row */
function lineOf({ requirement, files, reason }) {
  const { id, level, derived, document, rfc } = requirement;
  const source = [level + (derived ? " \\*" : ""), placeOf(requirement), document, rfc].filter(Boolean).join(" · ");
  const words = `**${id}** ${textOf(requirement.requirement)}<br>*${textOf(source)}*`;
  const proof = files.map((file) => file.replace(/\.test\.ts$/, "")).join(", ");
  return `| ${words} | ${reason === undefined ? proof : `**Not proven.** ${textOf(reason)}`} |`;
}

/** @param {Requirement} requirement */
function placeOf({ versions }) {
  if (versions.length === REVISIONS.length) return "every revision";
  const first = REVISIONS.indexOf(versions[0] ?? "");
  const isRest = first !== -1 && versions.length > 1 && versions.join() === REVISIONS.slice(first).join();
  return isRest ? `since ${versions[0]}` : versions.join(", ");
}

/**
 * A pipe would end the cell, and an angle bracket begin markup.
 *
 * @param {string} text
 */
function textOf(text) {
  return text.replaceAll("|", "\\|").replaceAll("<", "&lt;");
}
