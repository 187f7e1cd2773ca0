// package.json against the code and against the server's schema.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { test } from 'node:test';

interface Manifest {
  capabilities: { untrustedWorkspaces: { restrictedConfigurations: string[] } };
  contributes: {
    commands: { command: string }[];
    keybindings: { command: string }[];
    configuration: { properties: Record<string, unknown> };
  };
  devDependencies: Record<string, string>;
}

// npm runs tests in the folder of package.json.
const manifest = JSON.parse(fs.readFileSync('package.json', 'utf8')) as Manifest;

test('the settings are those of the server', () => {
  const { status, stderr } = spawnSync(process.execPath, ['scripts/gen-config.mjs', '--check'], { encoding: 'utf8' });
  assert.equal(stderr, '');
  assert.equal(status, 0);
});

test('every command that is contributed is registered, and no other', () => {
  const source = fs.readFileSync('src/extension.ts', 'utf8');
  const table = /commands: Record<.*?> = \{\n(.*?)\n {2}\};/s.exec(source)?.[1] ?? '';
  const registered = [...table.matchAll(/^ {4}(\w+):/gm)].map((match) => `sopilka.client.${match[1] ?? ''}`);
  const contributed = manifest.contributes.commands.map(({ command }) => command);
  assert.deepEqual(contributed.sort(), registered.sort());
  for (const { command } of manifest.contributes.keybindings) {
    assert.ok(contributed.includes(command) || command.startsWith('editor.action.inlineSuggest.'), command);
  }
});

test('what chooses a program or a model is kept from untrusted workspaces', () => {
  const { restrictedConfigurations } = manifest.capabilities.untrustedWorkspaces;
  assert.deepEqual(restrictedConfigurations, ['sopilka.server.path', 'sopilka.engine.bundle']);
  for (const key of restrictedConfigurations) {
    assert.ok(key in manifest.contributes.configuration.properties, key);
  }
});

test('the lock names versions and no registry', () => {
  const lock = fs.readFileSync('package-lock.json', 'utf8');
  assert.doesNotMatch(lock, /"resolved"/);
  for (const [name, version] of Object.entries(manifest.devDependencies)) {
    assert.match(version, /^\d+\.\d+\.\d+$/, name);
  }
});
