// Reads [file, module] pairs as JSON and prints where TypeScript finds each module, "" for nowhere.
// Arguments: the folder of the npm package typescript.
const fs = require("fs");
const path = require("path");
const ts = require(process.argv[2]);

const known = new Map();

function optionsOf(file) {
  const config = ts.findConfigFile(path.dirname(file), ts.sys.fileExists) ?? "";
  if (!known.has(config)) {
    let options = {};
    if (config) {
      const read = ts.readConfigFile(config, ts.sys.readFile);
      const folder = path.dirname(config);
      options = ts.parseJsonConfigFileContent(read.config ?? {}, ts.sys, folder, undefined, config).options;
    }
    known.set(config, { ...options, allowJs: true, resolveJsonModule: true });
  }
  return known.get(config);
}

const found = JSON.parse(fs.readFileSync(0, "utf8")).map(([file, module]) => {
  const resolved = ts.resolveModuleName(module, file, optionsOf(file), ts.sys).resolvedModule;
  const target = resolved?.resolvedFileName ?? "";
  return target.includes("node_modules") ? "" : target && fs.realpathSync(target);
});
process.stdout.write(JSON.stringify(found));
