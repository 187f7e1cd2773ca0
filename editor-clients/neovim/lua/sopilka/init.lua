-- Sopilka for Neovim 0.7 and newer: require('sopilka').setup{}
local client_of = require('sopilka.client')
local api = vim.api

local M = {}

local DEFAULTS = {
  -- How to start the server, and what to add to its environment.
  cmd = { 'lsp-server', '--stdio' },
  cmd_env = nil,
  -- The server's settings, without the leading 'sopilka.'.
  settings = {},
  -- Where suggestions are wanted; '*' for every file.
  filetypes = {
    'c', 'cpp', 'go', 'java', 'javascript', 'javascriptreact',
    'python', 'rust', 'typescript', 'typescriptreact',
  },
  root_markers = { '.git', 'pyproject.toml', 'package.json', 'Cargo.toml', 'go.mod' },
  enabled = true,
  -- Rest after the last key before the server is asked.
  debounce_ms = 75,
  -- 'auto': Neovim's own inline completion where it has one, else ours. 'own': always ours.
  ghost = 'auto',
  -- false: no keys at all; a single one can be false too.
  keymaps = {
    accept = '<Tab>',
    accept_word = '<M-Right>',
    accept_line = '<M-C-Right>',
    next = '<M-]>',
    previous = '<M-[>',
    dismiss = '<C-]>',
    trigger = '<M-Bslash>',
  },
}

local config = nil -- nil until setup()
local layer = nil -- ghost.lua or native.lua

M.actions = {
  accept = function() return layer ~= nil and layer.accept('all') end,
  accept_word = function() return layer ~= nil and layer.accept('word') end,
  accept_line = function() return layer ~= nil and layer.accept('line') end,
  next = function() return layer ~= nil and layer.cycle(1) end,
  previous = function() return layer ~= nil and layer.cycle(-1) end,
  dismiss = function()
    local shown = layer ~= nil and layer.visible()
    if shown then
      layer.dismiss()
    end
    return shown
  end,
  trigger = function()
    if layer then
      layer.trigger()
    end
    return true
  end,
}

local function wanted(buf)
  local here = vim.b[buf].sopilka_enabled
  return config.enabled and here ~= false and here ~= 0
end

local function serves(buf)
  if vim.bo[buf].buftype ~= '' or api.nvim_buf_get_name(buf) == '' then
    return false
  end
  local filetype = vim.bo[buf].filetype
  return config.filetypes == '*' or vim.tbl_contains(config.filetypes, filetype)
end

local function on_attach(client, buf)
  if wanted(buf) then
    layer.attach(buf, client)
  end
  if config.keymaps then
    require('sopilka.keymaps').attach(buf, config.keymaps, M.actions)
  end
end

local function attach(buf)
  if serves(buf) and #client_of.clients(buf) == 0 then
    client_of.attach(buf, config, on_attach)
  end
end

local function attach_all()
  for _, buf in ipairs(api.nvim_list_bufs()) do
    if api.nvim_buf_is_loaded(buf) then
      attach(buf)
    end
  end
end

-- The user's options over the defaults; whatever is not known is named and left out.
local function merged(options)
  local result = vim.tbl_deep_extend('force', DEFAULTS, options)
  for name in pairs(options) do
    if DEFAULTS[name] == nil and name ~= 'cmd_env' then
      client_of.notify(("setup: there is no option '%s'"):format(name), vim.log.levels.WARN)
    end
  end
  for name, lhs in pairs(result.keymaps or {}) do
    if not M.actions[name] then
      client_of.notify(("setup: there is no action '%s' for a key"):format(name), vim.log.levels.WARN)
    end
    result.keymaps[name] = M.actions[name] and lhs or nil
  end
  return result
end

function M.setup(options)
  config = merged(options or {})
  config.native = vim.lsp.inline_completion ~= nil and config.ghost ~= 'own'
  layer = require(config.native and 'sopilka.native' or 'sopilka.ghost')
  layer.configure({ debounce_ms = config.debounce_ms, wanted = wanted })
  client_of.on_gone(layer.gone)
  local group = api.nvim_create_augroup('sopilka', { clear = true })
  local function colours()
    vim.cmd('highlight default link SopilkaGhost Comment')
    vim.cmd('highlight default link SopilkaHint NonText')
  end
  colours()
  api.nvim_create_autocmd('ColorScheme', { group = group, callback = colours })
  api.nvim_create_autocmd('FileType', {
    group = group,
    callback = function(event)
      attach(event.buf)
    end,
  })
  attach_all()
end

function M.config()
  return config
end

local function set_enabled(enabled)
  config.enabled = enabled
  for _, buf in ipairs(api.nvim_list_bufs()) do
    for _, client in ipairs(api.nvim_buf_is_loaded(buf) and client_of.clients(buf) or {}) do
      layer[enabled and 'attach' or 'detach'](buf, client)
    end
  end
end

--- One short phrase about the server; '' in a buffer that it does not serve.
function M.statusline()
  if not config or (#client_of.clients(api.nvim_get_current_buf()) == 0 and client_of.status().kind ~= 'Error') then
    return ''
  end
  local status = client_of.status()
  local said = config.enabled and status.message or 'off'
  for _, progress in pairs(config.enabled and status.progress or {}) do
    said = progress.title:gsub('^Sopilka:?%s*', '') .. ' ' .. progress.message
  end
  if said == '' then
    said = status.busy and '...' or (status.kind ~= 'Normal' and status.kind:lower() or '')
  end
  if vim.fn.strchars(said) > 40 then
    said = vim.fn.strcharpart(said, 0, 39) .. '…'
  end
  -- A percent sign would be read as an item of the status line.
  return (('sopilka ' .. said):gsub('%%', ''):gsub('%s+', ' '):gsub(' $', ''))
end

--- The subcommands of :Sopilka.
M.commands = {
  enable = function() set_enabled(true) end,
  disable = function() set_enabled(false) end,
  toggle = function() set_enabled(not config.enabled) end,
  restart = function()
    client_of.stop()
    vim.defer_fn(attach_all, 100)
  end,
  status = function()
    local status, running = client_of.status(), #client_of.clients()
    local said = #client_of.clients(api.nvim_get_current_buf()) > 0 and 'attached' or 'not attached here'
    said = said .. (config.enabled and '' or '; suggestions are off')
    said = said .. (status.message ~= '' and '; ' .. status.message or '')
    client_of.notify(('%s; servers running: %d'):format(said, running))
  end,
}

function M.command(name)
  if not config then
    M.setup({})
  end
  M.commands[name]()
end

return M
