-- Our own ghost text, for every Neovim without vim.lsp.inline_completion.
--
-- A suggestion is anchored where its range begins. What the user types there must stay a prefix of
-- it and the rest of the line must stay as it was; while that holds the remainder is shown and
-- nothing is asked anew. Whatever else happens makes the suggestion go and a new request due.
local client_of = require('sopilka.client')
local item_of = require('sopilka.item')
local text = require('sopilka.text')
local api = vim.api

local M = {}

local METHOD = 'textDocument/inlineCompletion'
local INVOKED, AUTOMATIC = 1, 2
local namespace = api.nvim_create_namespace('sopilka-ghost')
local uv = vim.uv or vim.loop

local options = { debounce_ms = 75, wanted = function() return true end }
local clients = {} -- buffer -> the client that is asked
local timer = nil
local pending = nil -- { client, id } of the request under way
local serial = 0 -- of the newest request: only its reply counts
local shown = nil -- { buf, client, items, index, rest_of_line }

local function cursor()
  local at = api.nvim_win_get_cursor(0)
  return at[1] - 1, at[2]
end

local function line_at(buf, row)
  return api.nvim_buf_get_lines(buf, row, row + 1, false)[1] or ''
end

-- Nothing may arrive any more: no timer, no request.
local function cancel()
  serial = serial + 1
  if timer then
    timer:stop()
    timer:close()
    timer = nil
  end
  if pending then
    client_of.cancel(pending.client, pending.id)
    pending = nil
  end
end

local function hide()
  if shown and api.nvim_buf_is_valid(shown.buf) then
    api.nvim_buf_clear_namespace(shown.buf, namespace, 0, -1)
  end
  shown = nil
end

-- An item and the text of it that is still to come, or nil when it no longer fits the buffer.
local function remainder()
  local buf = api.nvim_get_current_buf()
  if not shown or shown.buf ~= buf or api.nvim_get_mode().mode ~= 'i' then
    return nil
  end
  local item = shown.items[shown.index]
  local row, col = cursor()
  if row < item.row or (row == item.row and col < item.col) then
    return nil
  end
  local typed = table.concat(api.nvim_buf_get_text(buf, item.row, item.col, row, col, {}), '\n')
  local intact = line_at(buf, row):sub(col + 1) == shown.rest_of_line
  if not intact or #typed >= #item.text or not text.starts_with(item.text, typed) then
    return nil
  end
  return item, item.text:sub(#typed + 1)
end

local function render(hint)
  local item, rest = remainder()
  if not item then
    return hide()
  end
  local buf, row, col = shown.buf, cursor()
  local mark = item_of.decoration(rest, line_at(buf, row), col, item.replaced, vim.fn.virtcol('.') - 1)
  if not mark then
    return hide()
  end
  if hint then
    local last = mark.virt_lines and mark.virt_lines[#mark.virt_lines] or mark.virt_text
    table.insert(last or {}, { hint, 'SopilkaHint' })
  end
  api.nvim_buf_clear_namespace(buf, namespace, 0, -1)
  api.nvim_buf_set_extmark(buf, namespace, row, col, mark)
end

local function request(buf, client, kind)
  cancel()
  local mine, tick, row, col = serial, api.nvim_buf_get_changedtick(buf), cursor()
  local line, encoding = line_at(buf, row), client.offset_encoding or 'utf-16'
  local params = {
    textDocument = { uri = vim.uri_from_bufnr(buf) },
    position = { line = row, character = text.character_of(line, col, encoding) },
    context = { triggerKind = kind },
  }
  local id = client_of.request(client, METHOD, params, buf, function(err, result)
    if mine ~= serial then
      return -- A newer request is under way, or nobody waits any more.
    end
    pending = nil
    local row_now, col_now = cursor()
    local stale = api.nvim_get_current_buf() ~= buf or api.nvim_buf_get_changedtick(buf) ~= tick
    if stale or row ~= row_now or col ~= col_now or api.nvim_get_mode().mode ~= 'i' then
      return
    end
    hide()
    local items = {}
    for _, item in ipairs((not err and type(result) == 'table') and (result.items or result) or {}) do
      table.insert(items, item_of.parse(item, row, col, line, encoding))
    end
    if #items > 0 and vim.fn.pumvisible() == 0 then
      shown = { buf = buf, client = client, items = items, index = 1, rest_of_line = line:sub(col + 1) }
      render()
    end
  end)
  pending = id and { client = client, id = id } or nil
end

-- Something was typed, or the cursor moved.
local function changed(buf)
  if remainder() then
    return render()
  end
  hide()
  cancel()
  if not options.wanted(buf) or vim.fn.pumvisible() == 1 or vim.fn.reg_executing() ~= '' then
    return
  end
  timer = uv.new_timer()
  timer:start(options.debounce_ms, 0, vim.schedule_wrap(function()
    local here = api.nvim_get_current_buf() == buf and api.nvim_get_mode().mode == 'i'
    if timer and here and clients[buf] then
      request(buf, clients[buf], AUTOMATIC)
    end
  end))
end

--- `new`: { debounce_ms, wanted = function(buf) -> boolean }.
function M.configure(new)
  options = new
end

function M.attach(buf, client)
  clients[buf] = client
  local group = api.nvim_create_augroup('sopilka-ghost-' .. buf, { clear = true })
  local function on(events, callback)
    api.nvim_create_autocmd(events, { group = group, buffer = buf, callback = callback })
  end
  on({ 'TextChangedI', 'CursorMovedI', 'InsertEnter' }, function() changed(buf) end)
  on({ 'InsertLeave', 'BufLeave', 'CompleteChanged' }, M.dismiss)
  on({ 'BufWipeout' }, function() M.detach(buf) end)
end

function M.detach(buf)
  clients[buf] = nil
  pcall(api.nvim_del_augroup_by_name, 'sopilka-ghost-' .. buf)
  M.dismiss()
end

--- The server of `client_id` has gone: nothing of it stays, and nobody is told to cancel.
function M.gone(client_id)
  for buf, client in pairs(clients) do
    if client.id == client_id then
      clients[buf] = nil
      pcall(api.nvim_del_augroup_by_name, 'sopilka-ghost-' .. buf)
    end
  end
  pending = (pending and pending.client.id ~= client_id) and pending or nil
  M.dismiss()
end

function M.visible()
  return remainder() ~= nil
end

--- Takes the suggestion away; the next change asks for a new one.
function M.dismiss()
  cancel()
  hide()
end

function M.trigger()
  local buf = api.nvim_get_current_buf()
  if clients[buf] and api.nvim_get_mode().mode == 'i' then
    request(buf, clients[buf], INVOKED)
  end
end

--- Shows another suggestion. With only one at hand the server is asked as by hand: it may know more.
function M.cycle(step)
  if not M.visible() then
    return false
  elseif #shown.items == 1 then
    M.trigger()
    return true
  end
  for _ = 1, #shown.items do
    shown.index = (shown.index - 1 + step) % #shown.items + 1
    if remainder() then
      break
    end
  end
  render((' (%d/%d)'):format(shown.index, #shown.items))
  return true
end

--- Puts the first `part` ('all', 'line', 'word') into the buffer. False when nothing is shown.
function M.accept(part)
  local item, rest = remainder()
  if not item then
    return false
  end
  local buf, client = shown.buf, shown.client
  local piece = text.take(rest, part)
  local whole = piece == rest
  item_of.insert(buf, piece, whole and item.replaced or 0)
  if not whole then
    render()
    return true
  end
  M.dismiss()
  if item.command then
    client_of.execute(client, item.command, buf)
  end
  return true
end

return M
