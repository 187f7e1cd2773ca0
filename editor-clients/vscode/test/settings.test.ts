import assert from 'node:assert/strict';
import { test } from 'node:test';
import { documentSelector, layerToChange, needsRestart, toggleLanguage } from '../src/settings';

test('a filter for each language, once; * for all', () => {
  assert.deepEqual(documentSelector(['python', 'go', 'python']), [
    { scheme: 'file', language: 'python' },
    { scheme: 'file', language: 'go' },
  ]);
  assert.deepEqual(documentSelector(['python', '*']), [{ scheme: 'file' }]);
  assert.deepEqual(documentSelector([]), []);
});

test('turning a language off and on again changes nothing else', () => {
  assert.deepEqual(toggleLanguage(['rust'], 'go'), ['go', 'rust']);
  assert.deepEqual(toggleLanguage(toggleLanguage(['rust'], 'go'), 'go'), ['rust']);
});

test('a setting is changed where it is set', () => {
  assert.equal(layerToChange(undefined), 'user');
  assert.equal(layerToChange({ workspaceValue: false }), 'workspace');
  assert.equal(layerToChange({ workspaceValue: [], workspaceFolderValue: [] }), 'folder');
});

test('only what starts the server needs a new server', () => {
  const changing = (...changed: string[]) => needsRestart((section) => changed.some((key) => key.startsWith(section)));
  assert.equal(changing('sopilka.completion.enable', 'sopilka.engine.bundle'), false);
  assert.equal(changing('sopilka.server.path'), true);
  assert.equal(changing('sopilka.client.languages'), true);
});
