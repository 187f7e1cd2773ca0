// Reads paths from standard input and prints, a line of JSON each, what Scalameta's syntax tree says
// the file defines: [path, errors, [[line, name, kind, container], ...]].
// The first argument is the folder of the package `scalameta-parsers`.
"use strict";
const fs = require("fs");
const path = require("path");
const readline = require("readline");
const parsers = require(path.resolve(process.argv[2]));

const TYPES = {
  "Defn.Class": "class",
  "Defn.Trait": "interface",
  "Defn.Object": "class",
  "Defn.Enum": "enum",
  "Pkg.Object": "module",
};
const IN_TYPES = new Set(["class", "interface", "enum", "extension"]);

function parsed(text) {
  for (const dialect of ["Scala213", "Scala213Source3", "Scala3", "Scala212"]) {
    const tree = parsers.parseSource(text, { dialect });
    if (!tree.error) return tree;
  }
  return null;
}

function read(file) {
  const text = fs.readFileSync(file, "utf8");
  const tree = parsed(text);
  if (tree === null) return [true, []];
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  const found = [];

  function lineOf(offset) {
    let low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (starts[middle] <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  }

  function textOf(node) {
    return text.slice(node.pos.start, node.pos.end).replace(/^`(.*)`$/, "$1");
  }

  function add(name, kind, around) {
    found.push([lineOf(name.pos.start), textOf(name), kind, around.container]);
  }

  function inside(around, name, kind) {
    const container = around.container ? `${around.container}.${name}` : name;
    return { container, kind };
  }

  function children(node, around) {
    for (const [key, value] of Object.entries(node)) {
      if (key === "pos") continue;
      for (const child of Array.isArray(value) ? value : [value]) {
        if (child && typeof child === "object" && child.type) visit(child, around);
      }
    }
  }

  function names(pattern) {
    if (pattern.type === "Pat.Var") return [pattern.name];
    const parts = pattern.args || (pattern.argClause && pattern.argClause.values) || [];
    if (pattern.type === "Pat.Typed") return names(pattern.lhs);
    return parts.flatMap(names);
  }

  function parameters(node, around) {
    const clauses = (node.ctor && node.ctor.paramClauses) || [];
    for (const clause of clauses) {
      for (const parameter of clause.values || clause) add(parameter.name, "field", around);
    }
  }

  function visit(node, around) {
    const type = node.type;
    if (type === "Pkg") {
      add(node.ref, "module", around);
      const braces = text.slice(node.ref.pos.end).trimStart().startsWith("{");
      const inner = braces ? inside(around, textOf(node.ref), "module") : around;
      return children(node.body || node, inner);
    }
    if (TYPES[type]) {
      add(node.name, TYPES[type], around);
      const inner = inside(around, textOf(node.name), TYPES[type]);
      parameters(node, inner);
      return children(node, inner);
    }
    if (type === "Defn.EnumCase") return add(node.name, "field", around);
    if (type === "Defn.RepeatedEnumCase") {
      for (const name of node.cases) add(name, "field", around);
      return undefined;
    }
    if (type === "Defn.Given" && textOf(node.name)) {
      add(node.name, "class", around);
      return children(node, inside(around, textOf(node.name), "class"));
    }
    if (type === "Defn.Def" || type === "Defn.Macro" || type === "Decl.Def" || type === "Ctor.Secondary") {
      add(node.name, IN_TYPES.has(around.kind) ? "method" : "function", around);
      return children(node, inside(around, textOf(node.name), "function"));
    }
    if (type === "Defn.Type" || type === "Decl.Type") add(node.name, "type", around);
    if (/^(Defn|Decl)\.(Val|Var)$/.test(type) && around.kind !== "function" && !around.block) {
      const kind = IN_TYPES.has(around.kind) ? "field" : "variable";
      for (const name of node.pats.flatMap(names)) add(name, kind, around);
    }
    const block = type === "Term.Block" || type === "Term.PartialFunction" || type === "Case";
    return children(node, block ? { ...around, block: true } : around);
  }

  visit(tree, { container: "", kind: null });
  return [false, found];
}

readline
  .createInterface({ input: process.stdin })
  .on("line", (file) => console.log(JSON.stringify([file, ...read(file)])));
