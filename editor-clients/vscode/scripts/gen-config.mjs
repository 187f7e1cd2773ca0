// Puts the server's settings into package.json; with --check only says whether they are there.
// The settings that start the client (sopilka.server.*, sopilka.client.*) stay as they are written.
import fs from 'node:fs';

const packagePath = new URL('../package.json', import.meta.url);
const schemaPath = new URL('../../../lsp_server/settings.schema.json', import.meta.url);

const text = fs.readFileSync(packagePath, 'utf8');
const manifest = JSON.parse(text);
const { properties } = JSON.parse(fs.readFileSync(schemaPath, 'utf8'));
const configuration = manifest.contributes.configuration;
const isOurs = ([key]) => key.startsWith('sopilka.server.') || key.startsWith('sopilka.client.');
configuration.properties = {
  ...Object.fromEntries(Object.entries(configuration.properties).filter(isOurs)),
  ...properties,
};

const fresh = `${JSON.stringify(manifest, null, 2)}\n`;
if (process.argv.includes('--check')) {
  if (fresh !== text) {
    console.error('package.json does not have the settings of lsp_server/settings.schema.json: npm run gen-config');
    process.exitCode = 1;
  }
} else {
  fs.writeFileSync(packagePath, fresh);
}
