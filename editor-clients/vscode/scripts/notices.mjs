// Writes out/NOTICES.txt: the licences of what esbuild put into out/extension.js, as they ask for.
import fs from 'node:fs';
import path from 'node:path';

const { inputs } = JSON.parse(fs.readFileSync('out/meta.json', 'utf8'));
const packages = new Set();
for (const file of Object.keys(inputs)) {
  const found = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(file);
  if (found) {
    packages.add(found[1]);
  }
}
const parts = [...packages].sort().map((folder) => {
  const { name, version } = JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'));
  const licence = fs.readdirSync(folder).find((file) => /^licen[cs]e/i.test(file));
  if (licence === undefined) {
    throw new Error(`${name} ${version} has no licence file`);
  }
  return `${name} ${version}\n\n${fs.readFileSync(path.join(folder, licence), 'utf8').trim()}\n`;
});
fs.writeFileSync('out/NOTICES.txt', parts.join(`\n${'-'.repeat(72)}\n\n`));
