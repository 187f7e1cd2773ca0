// Which program is the server. Nothing here knows VS Code, so that it can be tested without it.
import path from 'node:path';

export interface Machine {
  platform: NodeJS.Platform;
  home: string;
  /** The PATH variable. */
  searchPath: string;
  isExecutable: (file: string) => boolean;
}

export type Resolution = { command: string; args: string[] } | { problem: string };

/** A setting's values as VS Code tells them apart. */
export interface Layers {
  defaultValue?: string | undefined;
  globalValue?: string | undefined;
  workspaceValue?: string | undefined;
  workspaceFolderValue?: string | undefined;
}

const NAME = 'lsp-server';
const ARGS = ['--stdio'];

/** The setting, else `lsp-server` on PATH, else the one in the private environment. */
export function resolveServer(setting: string, machine: Machine): Resolution {
  const asked = setting.trim();
  if (asked !== '') {
    const command = find(asked, machine);
    return command !== undefined
      ? { command, args: ARGS }
      : { problem: `sopilka.server.path is '${asked}', and there is no such program.` };
  }
  const command = find(NAME, machine) ?? find(privateServer(machine), machine);
  return command !== undefined
    ? { command, args: ARGS }
    : { problem: `'${NAME}' is neither on PATH nor in ${privateServer(machine)}. Install it, or set sopilka.server.path.` };
}

/** Where a server of the user's own, away from every project, is looked for. */
export function privateServer({ platform, home }: Machine): string {
  const local = flavour(platform);
  return platform === 'win32'
    ? local.join(home, '.sopilka', 'venv', 'Scripts', `${NAME}.exe`)
    : local.join(home, '.sopilka', 'venv', 'bin', NAME);
}

/** What a setting says; in a workspace that is not trusted, without what the workspace says. */
export function trustedValue(layers: Layers | undefined, isTrusted: boolean): string {
  const workspace = isTrusted ? (layers?.workspaceFolderValue ?? layers?.workspaceValue) : undefined;
  return workspace ?? layers?.globalValue ?? layers?.defaultValue ?? '';
}

function flavour(platform: NodeJS.Platform): path.PlatformPath {
  return platform === 'win32' ? path.win32 : path.posix;
}

// The absolute path of a program, or undefined. A relative path is refused: it would mean another
// program in every folder.
function find(program: string, machine: Machine): string | undefined {
  const local = flavour(machine.platform);
  const expanded = program.startsWith('~') ? local.join(machine.home, program.slice(1)) : program;
  const suffixes = machine.platform === 'win32' ? ['', '.exe', '.cmd'] : [''];
  let folders: string[];
  if (local.isAbsolute(expanded)) {
    folders = [''];
  } else if (/[\\/]/.test(expanded)) {
    return undefined;
  } else {
    folders = machine.searchPath.split(local.delimiter).filter((folder) => local.isAbsolute(folder));
  }
  for (const folder of folders) {
    for (const suffix of suffixes) {
      const file = local.join(folder, expanded + suffix);
      if (machine.isExecutable(file)) {
        return file;
      }
    }
  }
  return undefined;
}
