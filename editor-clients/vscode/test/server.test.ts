import assert from 'node:assert/strict';
import { test } from 'node:test';
import { privateServer, resolveServer, trustedValue, type Machine } from '../src/server';

function machine(files: string[], more: Partial<Machine> = {}): Machine {
  return {
    platform: 'linux',
    home: '/home/me',
    searchPath: '/usr/local/bin:/usr/bin',
    isExecutable: (file) => files.includes(file),
    ...more,
  };
}

function check(setting: string, on: Machine, command: string): void {
  assert.deepEqual(resolveServer(setting, on), { command, args: ['--stdio'] });
}

function checkProblem(setting: string, on: Machine, problem: RegExp): void {
  const found = resolveServer(setting, on);
  assert.ok('problem' in found, JSON.stringify(found));
  assert.match(found.problem, problem);
}

test('the setting comes first', () => {
  const on = machine(['/opt/lsp-server', '/usr/bin/lsp-server', '/usr/bin/other']);
  check('/opt/lsp-server', on, '/opt/lsp-server');
  check(' other ', on, '/usr/bin/other');
});

test('a home is written as ~', () => {
  check('~/bin/lsp-server', machine(['/home/me/bin/lsp-server']), '/home/me/bin/lsp-server');
});

test('PATH is searched in its order, then the private environment', () => {
  const own = '/home/me/.sopilka/venv/bin/lsp-server';
  check('', machine(['/usr/bin/lsp-server', '/usr/local/bin/lsp-server', own]), '/usr/local/bin/lsp-server');
  check('', machine([own]), own);
});

test('what cannot be found is named', () => {
  checkProblem('/opt/nothing', machine([]), /sopilka\.server\.path is '\/opt\/nothing'/);
  checkProblem('', machine([]), /'lsp-server' is neither on PATH nor in \/home\/me\/\.sopilka\/venv\/bin\/lsp-server/);
});

test('nothing is taken from the folder that happens to be open', () => {
  checkProblem('./lsp-server', machine(['lsp-server', './lsp-server']), /there is no such program/);
  checkProblem('bin/lsp-server', machine(['bin/lsp-server', '/usr/bin/bin/lsp-server']), /no such program/);
  checkProblem('', machine(['lsp-server', './lsp-server', 'bin/lsp-server'], { searchPath: '.:bin::' }), /neither on PATH/);
});

test('Windows has its own names', () => {
  const own = 'C:\\Users\\me\\.sopilka\\venv\\Scripts\\lsp-server.exe';
  const windows: Partial<Machine> = { platform: 'win32', home: 'C:\\Users\\me', searchPath: 'C:\\Tools;C:\\Windows' };
  assert.equal(privateServer(machine([], windows)), own);
  check('', machine([own], windows), own);
  check('', machine(['C:\\Tools\\lsp-server.exe'], windows), 'C:\\Tools\\lsp-server.exe');
  check('D:\\x\\lsp-server', machine(['D:\\x\\lsp-server.cmd'], windows), 'D:\\x\\lsp-server.cmd');
});

test('an untrusted workspace cannot choose the program', () => {
  const layers = { defaultValue: '', globalValue: '/mine', workspaceValue: '/theirs', workspaceFolderValue: '/folder' };
  assert.equal(trustedValue(layers, true), '/folder');
  assert.equal(trustedValue(layers, false), '/mine');
  assert.equal(trustedValue({ defaultValue: '', workspaceValue: '/theirs' }, false), '');
  assert.equal(trustedValue(undefined, true), '');
});
