-- :checkhealth sopilka
local client_of = require('sopilka.client')

local M = {}

-- The names of the reports changed in Neovim 0.9.
local old = vim.health and vim.health.report_start and vim.health or not vim.health and require('health')
local report = (vim.health and vim.health.start) and vim.health
  or { start = old.report_start, ok = old.report_ok, warn = old.report_warn, error = old.report_error }

local function check_server(config)
  report.start('sopilka: server')
  local problem = client_of.problem_with(config.cmd)
  if problem then
    return report.error(problem, { 'pip install the server and start Neovim where lsp-server is on PATH' })
  end
  report.ok('command: ' .. table.concat(config.cmd, ' '))
  local clients = client_of.clients()
  if #clients == 0 then
    return report.warn('no server runs; open a file of: ' .. table.concat(
      config.filetypes == '*' and { 'any type' } or config.filetypes, ', '))
  end
  for _, client in ipairs(clients) do
    local name = ('client %d, root %s, columns in %s'):format(
      client.id, client.config.root_dir or 'none', client.offset_encoding or 'utf-16')
    if client.server_capabilities.inlineCompletionProvider then
      report.ok(name)
    else
      report.error(name .. ': this server offers no inline completion', { 'check cmd: is it lsp-server?' })
    end
  end
end

local function check_status(config)
  report.start('sopilka: status')
  local status = client_of.status()
  local said = status.message ~= '' and (status.kind .. ': ' .. status.message) or status.kind
  report[status.kind == 'Error' and 'error' or status.kind == 'Normal' and 'ok' or 'warn'](said)
  if not config.enabled then
    report.warn('suggestions are off; :Sopilka enable')
  end
  report.ok("log of Neovim's language client: " .. require('vim.lsp.log').get_filename())
end

function M.check()
  report.start('sopilka: editor')
  local version = vim.version()
  local config = require('sopilka').config()
  report.ok(('Neovim %d.%d.%d'):format(version.major, version.minor, version.patch))
  if not config then
    return report.error("setup was not called", { "add require('sopilka').setup{} to your init.lua" })
  end
  report.ok('ghost text by ' .. (config.native and 'Neovim (vim.lsp.inline_completion)' or 'this plugin'))
  check_server(config)
  check_status(config)
end

return M
