// What the status bar shows.

/** The server's notification `didChangeStatus`. */
export interface ServerStatus {
  busy: boolean;
  message: string;
  kind: 'Normal' | 'Error' | 'Warning' | 'Inactive';
}

export interface Shown {
  text: string;
  tooltip: string;
  severity: 'none' | 'warning' | 'error';
}

export type Phase = 'starting' | 'running' | 'stopped';

/** `language` is the language of the file in front, if suggestions are off for it. */
export function describe(phase: Phase, status: ServerStatus, isEnabled: boolean, offFor: string | undefined): Shown {
  if (phase === 'starting') {
    return shown('loading~spin', 'The server starts.');
  }
  if (phase === 'stopped') {
    return shown('error', status.message === '' ? 'The server does not run.' : status.message, 'error');
  }
  if (status.kind === 'Error') {
    return shown('error', status.message, 'error');
  }
  if (!isEnabled) {
    return shown('circle-slash', 'Suggestions are off.');
  }
  if (offFor !== undefined) {
    return shown('circle-slash', `Suggestions are off for ${offFor}.`);
  }
  if (status.kind === 'Warning') {
    return shown('warning', status.message, 'warning');
  }
  if (status.busy) {
    return shown('loading~spin', status.message === '' ? 'Busy.' : status.message);
  }
  if (status.kind === 'Inactive') {
    return shown('circle-slash', status.message === '' ? 'Not active.' : status.message);
  }
  return shown('sparkle', status.message === '' ? 'Ready.' : status.message);
}

/** Takes a notification apart without trusting its shape. */
export function parseStatus(value: unknown): ServerStatus {
  const said = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  const kinds = ['Normal', 'Error', 'Warning', 'Inactive'] as const;
  return {
    busy: said.busy === true,
    message: typeof said.message === 'string' ? said.message : '',
    kind: kinds.find((kind) => kind === said.kind) ?? 'Normal',
  };
}

function shown(icon: string, tooltip: string, severity: Shown['severity'] = 'none'): Shown {
  return { text: `$(${icon}) Sopilka`, tooltip: `Sopilka: ${tooltip}`, severity };
}
