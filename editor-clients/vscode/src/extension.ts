// What VS Code calls. The work is in client.ts; what needs no editor is in server.ts, status.ts, settings.ts.
import * as vscode from 'vscode';
import { Server } from './client';
import { layerToChange, needsRestart, toggleLanguage } from './settings';
import { describe } from './status';

const ENABLE = 'completion.enable';
const DISABLED_LANGUAGES = 'completion.disabledLanguages';

let server: Server | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  // The server's own log arrives here; it never holds text of documents.
  const output = vscode.window.createOutputChannel('Sopilka', { log: true });
  const current = new Server(output, context.secrets);
  server = current;
  const item = vscode.window.createStatusBarItem('sopilka.status', vscode.StatusBarAlignment.Right, 100);
  item.name = 'Sopilka';
  item.command = 'sopilka.client.menu';
  const show = (): void => {
    render(item, current);
  };
  const commands: Record<string, () => unknown> = {
    menu: () => vscode.commands.executeCommand('workbench.action.quickOpen', '>Sopilka: '),
    restart: () => current.restart(),
    setRemoteKey: () => askForRemoteKey(current),
    showOutput: () => {
      output.show();
    },
    toggle: () => change<boolean>(ENABLE, (enabled) => !(enabled ?? true)),
    toggleLanguage: () => {
      const language = vscode.window.activeTextEditor?.document.languageId;
      return language === undefined ? undefined : change<string[]>(DISABLED_LANGUAGES, (off) => toggleLanguage(off ?? [], language));
    },
    trigger: () => vscode.commands.executeCommand('editor.action.inlineSuggest.trigger'),
  };
  context.subscriptions.push(
    output,
    item,
    current,
    current.onDidChange(show),
    ...Object.entries(commands).map(([name, run]) => vscode.commands.registerCommand(`sopilka.client.${name}`, run)),
    vscode.window.onDidChangeActiveTextEditor(show),
    vscode.workspace.onDidGrantWorkspaceTrust(() => current.restart()),
    vscode.workspace.onDidChangeConfiguration((event) => {
      show();
      if (needsRestart((section) => event.affectsConfiguration(section))) {
        void current.restart();
      }
    }),
  );
  show();
  item.show();
  await current.restart();
}

export function deactivate(): Promise<void> | undefined {
  return server?.stop();
}

function render(item: vscode.StatusBarItem, current: Server): void {
  const configuration = vscode.workspace.getConfiguration('sopilka');
  const language = vscode.window.activeTextEditor?.document.languageId;
  const isOff = language !== undefined && configuration.get<string[]>(DISABLED_LANGUAGES, []).includes(language);
  const { text, tooltip, severity } = describe(current.phase, current.status, configuration.get(ENABLE, true), isOff ? language : undefined);
  item.text = text;
  item.tooltip = tooltip;
  item.backgroundColor = severity === 'none' ? undefined : new vscode.ThemeColor(`statusBarItem.${severity}Background`);
}

async function askForRemoteKey(current: Server): Promise<void> {
  const key = await vscode.window.showInputBox({
    title: 'Sopilka: key of the remote model',
    prompt: 'Kept in the secret store of the editor; leave it empty to forget the key.',
    password: true,
    ignoreFocusOut: true,
  });
  if (key !== undefined) {
    await current.setRemoteKey(key.trim());
  }
}

/** Changes a setting where it is set now, for else the change would be hidden. */
async function change<T>(key: string, next: (value: T | undefined) => T): Promise<void> {
  const configuration = vscode.workspace.getConfiguration('sopilka');
  const targets = {
    folder: vscode.ConfigurationTarget.WorkspaceFolder,
    workspace: vscode.ConfigurationTarget.Workspace,
    user: vscode.ConfigurationTarget.Global,
  };
  await configuration.update(key, next(configuration.get<T>(key)), targets[layerToChange(configuration.inspect(key))]);
}
