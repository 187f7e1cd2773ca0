// Answers names with TypeScript's language service, a JSON line each.
// Arguments: the folder of the package `typescript`, the folder of the project.
"use strict";
const fs = require("fs");
const path = require("path");
const readline = require("readline");
const ts = require(process.argv[2]);
const root = process.argv[3];

const options = {
  allowJs: true,
  target: ts.ScriptTarget.ESNext,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  jsx: ts.JsxEmit.Preserve,
};
const files = ts.sys
  .readDirectory(root, [".ts", ".tsx", ".mts", ".cts"])
  .filter((name) => !name.includes("/node_modules/"));
const host = {
  getScriptFileNames: () => files,
  getScriptVersion: () => "0",
  getScriptSnapshot: (name) =>
    fs.existsSync(name) ? ts.ScriptSnapshot.fromString(fs.readFileSync(name, "utf8")) : undefined,
  getCurrentDirectory: () => root,
  getCompilationSettings: () => options,
  getDefaultLibFileName: (given) => ts.getDefaultLibFilePath(given),
  fileExists: ts.sys.fileExists,
  readFile: ts.sys.readFile,
  readDirectory: ts.sys.readDirectory,
  directoryExists: ts.sys.directoryExists,
  getDirectories: ts.sys.getDirectories,
};
const service = ts.createLanguageService(host, ts.createDocumentRegistry());

readline.createInterface({ input: process.stdin }).on("line", (row) => {
  const asked = JSON.parse(row);
  const program = service.getProgram();
  const source = program.getSourceFile(asked.path);
  let found = [];
  const begin = process.hrtime.bigint();
  if (source) {
    const place = source.getPositionOfLineAndCharacter(asked.line, asked.at);
    found = service.getDefinitionAtPosition(path.normalize(asked.path), place) || [];
    found = found.filter((one) => one.kind !== "alias"); // an import that it can't follow
  }
  const milliseconds = Number(process.hrtime.bigint() - begin) / 1e6;
  const places = found.map((one) => {
    const there = program.getSourceFile(one.fileName);
    return [one.fileName, there.getLineAndCharacterOfPosition(one.textSpan.start).line];
  });
  process.stdout.write(JSON.stringify({ places, milliseconds }) + "\n");
});
