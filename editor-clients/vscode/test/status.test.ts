import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describe, parseStatus, type ServerStatus } from '../src/status';

const normal: ServerStatus = { busy: false, message: '', kind: 'Normal' };

test('every state has its text', () => {
  const cases: [Parameters<typeof describe>, string][] = [
    [['starting', normal, true, undefined], '$(loading~spin) Sopilka | Sopilka: The server starts. | none'],
    [['stopped', normal, true, undefined], '$(error) Sopilka | Sopilka: The server does not run. | error'],
    [['stopped', { ...normal, message: 'no lsp-server' }, true, undefined], '$(error) Sopilka | Sopilka: no lsp-server | error'],
    [['running', normal, true, undefined], '$(sparkle) Sopilka | Sopilka: Ready. | none'],
    [['running', { ...normal, busy: true, message: 'Indexing' }, true, undefined], '$(loading~spin) Sopilka | Sopilka: Indexing | none'],
    [['running', { ...normal, kind: 'Warning', message: 'No model' }, true, undefined], '$(warning) Sopilka | Sopilka: No model | warning'],
    [['running', { ...normal, kind: 'Inactive', message: 'Paused' }, true, undefined], '$(circle-slash) Sopilka | Sopilka: Paused | none'],
    [['running', { ...normal, busy: true, kind: 'Inactive', message: 'Loading' }, true, undefined], '$(loading~spin) Sopilka | Sopilka: Loading | none'],
    [['running', { ...normal, busy: true }, true, undefined], '$(loading~spin) Sopilka | Sopilka: Busy. | none'],
    [['running', normal, false, 'python'], '$(circle-slash) Sopilka | Sopilka: Suggestions are off. | none'],
    [['running', normal, true, 'python'], '$(circle-slash) Sopilka | Sopilka: Suggestions are off for python. | none'],
    [['running', { ...normal, kind: 'Error', message: 'Broken' }, false, undefined], '$(error) Sopilka | Sopilka: Broken | error'],
  ];
  for (const [state, expected] of cases) {
    const { text, tooltip, severity } = describe(...state);
    assert.equal(`${text} | ${tooltip} | ${severity}`, expected);
  }
});

test('a notification of another shape does no harm', () => {
  for (const value of [undefined, null, 3, 'x', [], {}, { busy: 'yes', message: 4, kind: 'Other' }]) {
    assert.deepEqual(parseStatus(value), normal);
  }
  const said: ServerStatus = { busy: true, message: 'm', kind: 'Warning' };
  assert.deepEqual(parseStatus({ ...said, more: 1 }), said);
});
