-- The same interface as ghost.lua over vim.lsp.inline_completion (Neovim 0.12 and newer).
-- Neovim draws and asks there; what is accepted goes through our own code, so that words, lines and
-- ranges mean the same in every version.
local client_of = require('sopilka.client')
local item_of = require('sopilka.item')
local text = require('sopilka.text')
local api = vim.api

local M = {}

local NAMESPACE = 'nvim.lsp.inline_completion'
local METHOD = 'textDocument/inlineCompletion'
local asked = {} -- request id -> byte column of the cursor when it was sent
local answered = nil -- that column for the newest reply: ranges of items are meant relative to it

function M.configure(options)
  if options.debounce_ms ~= 75 then
    client_of.notify_once('debounce_ms has no effect on ghost text by Neovim itself (200 ms there)')
  end
end

local function watch(event)
  local request = event.data.request
  if request.method ~= METHOD then
    return
  elseif request.type == 'pending' then
    asked[event.data.request_id] = api.nvim_win_get_cursor(0)[2]
  elseif request.type == 'complete' then
    answered = asked[event.data.request_id]
    asked[event.data.request_id] = nil
  end
end

function M.attach(buf)
  local group = api.nvim_create_augroup('sopilka-native-' .. buf, { clear = true })
  api.nvim_create_autocmd('LspRequest', { group = group, buffer = buf, callback = watch })
  -- By buffer alone: a filter that names the client too cannot switch off what it switched on.
  vim.lsp.inline_completion.enable(true, { bufnr = buf })
end

function M.detach(buf)
  pcall(api.nvim_del_augroup_by_name, 'sopilka-native-' .. buf)
  vim.lsp.inline_completion.enable(false, { bufnr = buf })
end

--- The server has gone: Neovim leaves its ghost text standing.
function M.gone()
  local namespace = api.nvim_get_namespaces()[NAMESPACE]
  for _, buf in ipairs(namespace and api.nvim_list_bufs() or {}) do
    api.nvim_buf_clear_namespace(buf, namespace, 0, -1)
  end
end

function M.visible()
  local namespace = api.nvim_get_namespaces()[NAMESPACE]
  return namespace ~= nil and #api.nvim_buf_get_extmarks(0, namespace, 0, -1, { limit = 1 }) > 0
end

-- Neovim has no call that takes a suggestion away; switching off and on does.
function M.dismiss()
  local buf = api.nvim_get_current_buf()
  vim.lsp.inline_completion.enable(false, { bufnr = buf })
  vim.lsp.inline_completion.enable(true, { bufnr = buf })
end

-- Nor one that asks by hand: the event that makes it ask does.
function M.trigger()
  api.nvim_exec_autocmds('CursorMovedI', { buffer = api.nvim_get_current_buf() })
end

function M.cycle(step)
  if not M.visible() then
    return false
  end
  vim.lsp.inline_completion.select({ count = step })
  return true
end

local function apply(item, part)
  local buf = api.nvim_get_current_buf()
  local row, col = unpack(api.nvim_win_get_cursor(0))
  local start_row, start_col, stop_col = row - 1, col, col
  if item.range then
    start_row, start_col, _, stop_col = item.range:to_extmark()
  end
  if start_row ~= row - 1 or start_col > col or type(item.insert_text) ~= 'string' then
    return
  end
  local typed = api.nvim_get_current_line():sub(start_col + 1, col)
  if not text.starts_with(item.insert_text, typed) then
    return -- The suggestion was for other text than what stands here now.
  end
  local rest = item.insert_text:sub(#typed + 1)
  local piece = text.take(rest, part)
  local whole = piece == rest
  item_of.insert(buf, piece, whole and math.max(0, stop_col - (answered or col)) or 0)
  local client = vim.lsp.get_client_by_id(item.client_id)
  if whole and item.command and client then
    client_of.execute(client, item.command, buf)
  end
end

function M.accept(part)
  return M.visible() and vim.lsp.inline_completion.get({
    on_accept = function(item)
      apply(item, part)
      return nil -- Nothing is left for Neovim to do.
    end,
  })
end

return M
