-- The language client: starts the server, hides what changed between Neovim 0.7 and 0.12,
-- and keeps what the server says about itself.
local M = {}

M.NAME = 'sopilka'

local roots = {} -- root -> client id, only for Neovim 0.7, which has no vim.lsp.start
local status = { kind = 'Normal', message = '', busy = false, progress = {} }
local told = {} -- messages that have been shown, so that each is shown once
local gone = function() end
local stopping = {} -- client ids that we stop ourselves

local function redraw_status()
  vim.schedule(function()
    vim.cmd('redrawstatus')
  end)
end

function M.notify(message, level)
  vim.schedule(function()
    vim.notify('sopilka: ' .. message, level or vim.log.levels.INFO)
  end)
end

function M.notify_once(message, level)
  if not told[message] then
    told[message] = true
    M.notify(message, level)
  end
end

--- `listener(client_id)` is called when a server has gone.
function M.on_gone(listener)
  gone = listener
end

function M.status()
  return status
end

--- Why the command cannot be started, in one line, or nil if it can.
function M.problem_with(cmd)
  if type(cmd) ~= 'table' or type(cmd[1]) ~= 'string' then
    return "cmd must be a list such as { 'lsp-server', '--stdio' }"
  elseif vim.fn.executable(cmd[1]) == 0 then
    return ("'%s' was not found; install the server or set cmd in require('sopilka').setup{}"):format(cmd[1])
  end
end

local function root_of(buf, markers)
  local directory = vim.fn.fnamemodify(vim.api.nvim_buf_get_name(buf), ':p:h')
  local here = vim.fn.escape(directory, ' ,;*?[{') .. ';'
  for _, marker in ipairs(markers) do
    local found = vim.fn.finddir(marker, here)
    found = found ~= '' and found or vim.fn.findfile(marker, here)
    if found ~= '' then
      -- ':p' ends the name of a directory with a slash: take that away first.
      return vim.fn.fnamemodify((vim.fn.fnamemodify(found, ':p'):gsub('/$', '')), ':h')
    end
  end
  return directory
end

local function on_status(_, result)
  if type(result) == 'table' then
    status.kind = result.kind or 'Normal'
    status.message = type(result.message) == 'string' and result.message or ''
    status.busy = result.busy == true
    redraw_status()
  end
end

local function on_progress(err, result, context, config)
  local value = type(result) == 'table' and result.value
  if type(value) == 'table' then
    local title = value.title or (status.progress[result.token] or {}).title or ''
    local message = type(value.message) == 'string' and value.message or ''
    status.progress[result.token] = value.kind ~= 'end' and { title = title, message = message } or nil
    redraw_status()
  end
  -- Other plugins show progress too: Neovim's own handler tells them.
  return vim.lsp.handlers['$/progress'](err, result, context, config)
end

local function on_exit(code, signal, id)
  vim.schedule(function()
    for root, other in pairs(roots) do
      roots[root] = other ~= id and other or nil
    end
    status.progress, status.busy = {}, false
    gone(id)
    if stopping[id] or vim.v.exiting ~= vim.NIL then
      return
    end
    status.kind, status.message = 'Error', 'the server stopped'
    local how = signal ~= 0 and ('signal ' .. signal) or ('exit status ' .. code)
    local advice = ':Sopilka restart starts it again, :checkhealth sopilka tells more'
    M.notify(('the server stopped (%s); %s'):format(how, advice), vim.log.levels.ERROR)
    redraw_status()
  end)
end

local function capabilities()
  local all = vim.lsp.protocol.make_client_capabilities()
  all.textDocument.inlineCompletion = all.textDocument.inlineCompletion or { dynamicRegistration = false }
  return all
end

--- Starts the server for this buffer's root, or takes the one that runs, and attaches the buffer.
function M.attach(buf, config, on_attach)
  local problem = M.problem_with(config.cmd)
  if problem then
    status.kind, status.message = 'Error', problem
    return M.notify_once(problem, vim.log.levels.ERROR)
  end
  local root = root_of(buf, config.root_markers)
  -- An empty table would reach the server as an empty list.
  local settings = next(config.settings) and config.settings or vim.empty_dict()
  local options = {
    name = M.NAME,
    cmd = config.cmd,
    cmd_env = config.cmd_env,
    root_dir = root,
    capabilities = capabilities(),
    settings = { sopilka = settings },
    init_options = settings,
    handlers = { didChangeStatus = on_status, ['$/progress'] = on_progress },
    on_attach = function(client, attached)
      on_attach(client, attached)
      redraw_status()
    end,
    on_exit = on_exit,
  }
  if vim.lsp.start then
    return vim.lsp.start(options, { bufnr = buf })
  end
  roots[root] = roots[root] or vim.lsp.start_client(options)
  if roots[root] then
    vim.lsp.buf_attach_client(buf, roots[root])
  end
  return roots[root]
end

--- Our clients: all, or those of one buffer.
function M.clients(buf)
  local all = (vim.lsp.get_clients or vim.lsp.get_active_clients)()
  return vim.tbl_filter(function(client)
    return client.name == M.NAME and (not buf or vim.lsp.buf_is_attached(buf, client.id))
  end, all)
end

-- Since 0.11 a client's functions are methods; the older form warns there.
local function call(client, name, ...)
  if vim.fn.has('nvim-0.11') == 1 then
    return client[name](client, ...)
  end
  return client[name](...)
end

--- Sends a request and returns its id, or nil when the server is gone.
function M.request(client, method, params, buf, handler)
  local sent, id = call(client, 'request', method, params, handler, buf)
  return sent and id or nil
end

function M.cancel(client, id)
  call(client, 'cancel_request', id)
end

--- Runs a command of an inline completion item on the server.
function M.execute(client, command, buf)
  local params = { command = command.command, arguments = command.arguments }
  M.request(client, 'workspace/executeCommand', params, buf, function() end)
end

--- Stops every server of ours; `restart` afterwards attaches the buffers again.
function M.stop()
  for _, client in ipairs(M.clients()) do
    stopping[client.id] = true
    call(client, 'stop')
  end
  told, roots = {}, {}
  status.kind, status.message, status.busy, status.progress = 'Normal', '', false, {}
end

return M
