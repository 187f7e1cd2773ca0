// Lines of a TypeScript repository that need a definition from another file, found by the
// TypeScript compiler: `node benchmarks/holes/typescript.mjs TREE COUNT SEED > cases.jsonl`.
//
// Needs the package `typescript` where node finds it (NODE_PATH, or a node_modules folder above).
// A case hides one line; its gold are the definitions in other files that the checker gives for the
// identifiers in the line. Imports of packages that are not installed stay unresolved, which is as
// it should be: only definitions in the tree count.

import { createRequire } from "node:module";
import * as fs from "node:fs";
import * as path from "node:path";

const require = createRequire(path.join(process.env.NODE_PATH ?? process.cwd(), "x.js"));
const ts = require("typescript");
const PER_FILE = 3, PER_DEFINITION = 3, FIRST_LINE = 10;

const [tree, count, seed] = [path.resolve(process.argv[2]), +process.argv[3], +process.argv[4]];
let state = seed + 1;
const random = () => (state = (state * 48271) % 2147483647) / 2147483647;
const shuffle = (list) => list.map((x) => [random(), x]).sort((a, b) => a[0] - b[0]).map((x) => x[1]);

function sources(folder) {
  const found = [];
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const full = path.join(folder, entry.name);
    if (entry.isDirectory() && entry.name !== "node_modules" && !entry.name.startsWith("."))
      found.push(...sources(full));
    else if (/\.tsx?$/.test(entry.name) && !entry.name.endsWith(".d.ts")) found.push(full);
  }
  return found.sort();
}

const files = sources(tree);
const program = ts.createProgram(files, {
  allowJs: false, noLib: true, noEmit: true, jsx: ts.JsxEmit.Preserve, skipLibCheck: true,
  target: ts.ScriptTarget.ESNext, module: ts.ModuleKind.ESNext, allowImportingTsExtensions: true,
  moduleResolution: ts.ModuleResolutionKind.Bundler, experimentalDecorators: true, types: [],
});
const checker = program.getTypeChecker();
const inTree = new Set(files);

function definition(identifier) {
  let symbol = checker.getSymbolAtLocation(identifier);
  if (symbol && symbol.flags & ts.SymbolFlags.Alias) symbol = checker.getAliasedSymbol(symbol);
  const declaration = symbol?.declarations?.[0];
  if (!declaration) return undefined;
  const file = declaration.getSourceFile();
  const place = ts.getNameOfDeclaration(declaration) ?? declaration;
  if (file === identifier.getSourceFile() || !inTree.has(file.fileName)) return undefined;
  if (ts.isSourceFile(declaration) || ts.isParameter(declaration)) return undefined;
  const line = file.getLineAndCharacterOfPosition(place.getStart(file)).line + 1;
  return { file: path.relative(tree, file.fileName), line, owner: declaration.parent };
}

function kindOf(identifier, found) {
  const parent = identifier.parent;
  const member = ts.isPropertyAccessExpression(parent) && parent.name === identifier;
  if (!member) return "symbol";
  const left = parent.expression;
  if (left.kind === ts.SyntaxKind.ThisKeyword || left.kind === ts.SyntaxKind.SuperKeyword)
    return "inherited";
  if (ts.isSourceFile(found.owner) || ts.isModuleBlock(found.owner)) return "modattr";
  const named = ts.isIdentifier(left) ? checker.getSymbolAtLocation(left) : undefined;
  if (named?.flags & ts.SymbolFlags.Alias) return "classattr";
  return "instance";
}

function casesOf(file) {
  const text = file.text;
  if (text.includes("\r") || text.includes("\u2028")) return [];
  const lines = text.split("\n").map((line) => line + "\n");
  const byLine = new Map(), imports = new Set(), places = new Map();
  const lineOf = (node) => file.getLineAndCharacterOfPosition(node.getStart(file)).line;
  const visit = (node) => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
      const last = file.getLineAndCharacterOfPosition(node.end).line;
      for (let line = lineOf(node); line <= last; line++) imports.add(line);
      return;
    }
    if (ts.isIdentifier(node)) {
      const found = definition(node);
      if (found) {
        const line = lineOf(node);
        if (!byLine.has(line)) byLine.set(line, new Map());
        const key = `${found.file}:${found.line}:${node.text}`;
        const gold = { name: node.text, kind: kindOf(node, found), file: found.file, line: found.line };
        if (!byLine.get(line).has(key)) byLine.get(line).set(key, gold);
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  lines.forEach((line, number) => {
    if (imports.has(number)) return;
    for (const [name] of line.matchAll(/[A-Za-z_$][\w$]*/g))
      places.set(name, (places.get(name) ?? new Set()).add(number));
  });
  const found = [];
  for (const [line, golds] of byLine) {
    const tokens = (lines[line].match(/\w+|[^\w\s]/g) ?? []).length;
    if (imports.has(line) || line < FIRST_LINE || tokens < 3 || tokens > 60) continue;
    const gold = [...golds.values()].map((g) => ({ ...g, fresh: places.get(g.name)?.size === 1 }));
    const name = path.relative(tree, file.fileName);
    found.push({
      id: `${name}:${line + 1}`, file: name, line: line + 1, gold,
      indent: lines[line].length - lines[line].trimStart().length, target: lines[line].trimEnd(),
      prefix: lines.slice(0, line).join(""), suffix: lines.slice(line + 1).join("").slice(0, -1),
    });
  }
  return found;
}

let pool = [];
for (const name of files) {
  const found = shuffle(casesOf(program.getSourceFile(name)));
  const fresh = (one) => one.gold.some((g) => g.fresh);
  pool.push(...[...found.filter(fresh), ...found.filter((one) => !fresh(one))].slice(0, PER_FILE));
}
const used = new Map();
let written = 0;
for (const one of shuffle(pool)) {
  const last = one.gold.at(-1), key = `${last.file}:${last.line}`;
  if ((used.get(key) ?? 0) >= PER_DEFINITION || written >= count) continue;
  used.set(key, (used.get(key) ?? 0) + 1);
  written++;
  console.log(JSON.stringify(one));
}
