// The language client's life: one server for the window, started, stopped and started anew.
import fs from 'node:fs';
import os from 'node:os';
import * as vscode from 'vscode';
import { LanguageClient, State } from 'vscode-languageclient/node';
import { resolveServer, trustedValue, type Machine } from './server';
import { documentSelector } from './settings';
import { parseStatus, type Phase, type ServerStatus } from './status';

const REMOTE_KEY = 'remoteKey';
const NORMAL: ServerStatus = { busy: false, message: '', kind: 'Normal' };

export class Server implements vscode.Disposable {
  phase: Phase = 'stopped';
  status: ServerStatus = NORMAL;
  private client: LanguageClient | undefined;
  private queue: Promise<void> = Promise.resolve();
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.changed.event;

  constructor(
    private readonly output: vscode.LogOutputChannel,
    private readonly secrets: vscode.SecretStorage,
  ) {}

  /** Keeps the key of a remote model in the editor's secret store, or forgets it, and hands it over. */
  async setRemoteKey(key: string): Promise<void> {
    await (key === '' ? this.secrets.delete(REMOTE_KEY) : this.secrets.store(REMOTE_KEY, key));
    await this.client?.sendRequest('sopilka/setKey', { key: key === '' ? null : key });
  }

  /** Starts the server, after stopping the one that runs. Calls take effect one after another. */
  restart(): Promise<void> {
    this.queue = this.queue.then(async () => {
      await this.stop();
      await this.start();
    });
    return this.queue;
  }

  async stop(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    if (client) {
      // A server that has crashed cannot be asked to stop; that it is gone is all we want.
      await client.dispose().catch((error: unknown) => {
        this.output.info(`The server did not stop by itself: ${text(error)}`);
      });
    }
    this.set('stopped', NORMAL);
  }

  dispose(): void {
    void this.stop();
    this.changed.dispose();
  }

  private async start(): Promise<void> {
    const configuration = vscode.workspace.getConfiguration('sopilka');
    const setting = trustedValue(configuration.inspect<string>('server.path'), vscode.workspace.isTrusted);
    const found = resolveServer(setting, thisMachine());
    if ('problem' in found) {
      this.fail(found.problem);
      return;
    }
    const remoteKey = await this.secrets.get(REMOTE_KEY);
    this.output.info(`Starting ${found.command} ${found.args.join(' ')}`);
    const client = new LanguageClient(
      'sopilka',
      'Sopilka',
      { command: found.command, args: found.args, options: { env: { ...process.env } } },
      {
        documentSelector: documentSelector(configuration.get<string[]>('client.languages', [])),
        // Later changes the server asks for by itself.
        initializationOptions: { sopilka: vscode.workspace.getConfiguration().get('sopilka'), ...(remoteKey === undefined ? {} : { remoteKey }) },
        outputChannel: this.output,
      },
    );
    this.client = client;
    client.onNotification('didChangeStatus', (said: unknown) => {
      this.set(this.phase, parseStatus(said));
    });
    client.onDidChangeState(({ newState }) => {
      if (this.client === client) {
        const phases = { [State.Running]: 'running', [State.Starting]: 'starting', [State.StartFailed]: 'stopped', [State.Stopped]: 'stopped' } as const;
        this.set(phases[newState], newState === State.Running ? this.status : NORMAL);
      }
    });
    try {
      await client.start();
    } catch (error) {
      this.fail(`The server did not start: ${text(error)}`);
    }
  }

  private fail(problem: string): void {
    this.set('stopped', { busy: false, message: problem, kind: 'Error' });
    this.output.error(problem);
    // Nobody waits for the answer: the message may stay on the screen for hours.
    void vscode.window.showErrorMessage(`Sopilka: ${problem}`, 'Open Settings', 'Show Output').then((answer) => {
      if (answer === 'Open Settings') {
        void vscode.commands.executeCommand('workbench.action.openSettings', 'sopilka.server.path');
      } else if (answer === 'Show Output') {
        this.output.show();
      }
    });
  }

  private set(phase: Phase, status: ServerStatus): void {
    this.phase = phase;
    this.status = status;
    this.changed.fire();
  }
}

function thisMachine(): Machine {
  return {
    platform: process.platform,
    home: os.homedir(),
    searchPath: process.env.PATH ?? '',
    isExecutable: (file) => {
      try {
        fs.accessSync(file, fs.constants.X_OK);
        return fs.statSync(file).isFile();
      } catch {
        return false;
      }
    },
  };
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
