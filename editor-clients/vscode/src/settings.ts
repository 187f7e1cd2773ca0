// How settings are read and changed, without VS Code.

/** The files that the server is told of: one filter for each language, or all for `*`. */
export function documentSelector(languages: readonly string[]): { scheme: 'file'; language?: string }[] {
  return languages.includes('*')
    ? [{ scheme: 'file' }]
    : [...new Set(languages)].map((language) => ({ scheme: 'file', language }));
}

/** `sopilka.completion.disabledLanguages` after the user has turned `language` on or off. */
export function toggleLanguage(disabled: readonly string[], language: string): string[] {
  return disabled.includes(language) ? disabled.filter((other) => other !== language) : [...disabled, language].sort();
}

/** Which of a setting's layers to change so that the change has an effect. */
export function layerToChange(layers: { workspaceFolderValue?: unknown; workspaceValue?: unknown } | undefined): 'folder' | 'workspace' | 'user' {
  if (layers?.workspaceFolderValue !== undefined) {
    return 'folder';
  }
  return layers?.workspaceValue !== undefined ? 'workspace' : 'user';
}

/** Whether a change of these settings needs a new server rather than a notification to it. */
export function needsRestart(affects: (section: string) => boolean): boolean {
  return affects('sopilka.server') || affects('sopilka.client');
}
