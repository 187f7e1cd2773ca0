-- One suggestion: read from the server's reply, drawn beside the text, put into the text.
local text = require('sopilka.text')
local api = vim.api

local M = {}

local INLINE = vim.fn.has('nvim-0.10') == 1

--- An InlineCompletionItem in bytes, or nil if it does not fit the text at (row, col):
--- { row, col: where its range begins; text: what takes the range's place; replaced: how many
--- bytes after the cursor belong to the range; command }.
function M.parse(item, row, col, line, encoding)
  local insert = type(item) == 'table' and item.insertText
  if type(insert) ~= 'string' then
    return nil -- Snippets were not asked for.
  end
  insert = insert:gsub('\r\n', '\n')
  local start, stop = col, col
  if type(item.range) == 'table' then
    if item.range.start.line ~= row or item.range['end'].line ~= row then
      return nil
    end
    start = text.byte_of(line, item.range.start.character, encoding)
    stop = text.byte_of(line, item.range['end'].character, encoding)
  end
  local typed = line:sub(start + 1, col)
  if start > col or stop < col or #insert <= #typed or not text.starts_with(insert, typed) then
    return nil
  end
  local command = type(item.command) == 'table' and item.command or nil
  return { row = row, col = start, text = insert, replaced = stop - col, command = command }
end

--- Extmark options that show `rest` at byte `col` of `line`, of which `replaced` bytes will go;
--- nil where this Neovim cannot show it.
function M.decoration(rest, line, col, replaced, screen_column)
  local tail = line:sub(col + 1, col + replaced)
  -- What stays on the screen after the cursor need not be shown twice.
  local kept = text.ends_with(rest, tail) and not rest:find('\n')
  local covers = not kept and tail ~= '' and col + replaced == #line
  if not INLINE and col < #line and not covers then
    return nil -- An overlay would lie upon the text after the cursor.
  end
  local lines = text.lines(kept and rest:sub(1, #rest - #tail) or rest)
  local first = text.expand_tabs(lines[1], screen_column)
  if covers then
    first = first .. (' '):rep(vim.fn.strdisplaywidth(tail) - vim.fn.strdisplaywidth(first))
  end
  local options = { hl_mode = 'combine', virt_text_pos = (INLINE and not covers) and 'inline' or 'overlay' }
  if first ~= '' then
    options.virt_text = { { first, 'SopilkaGhost' } }
  end
  for i = 2, #lines do
    options.virt_lines = options.virt_lines or {}
    table.insert(options.virt_lines, { { text.expand_tabs(lines[i], 0), 'SopilkaGhost' } })
  end
  return options
end

--- Puts `piece` at the cursor in place of the `replaced` bytes after it, as one step of undo,
--- and leaves the cursor behind it.
function M.insert(buf, piece, replaced)
  vim.cmd('let &l:undolevels = &l:undolevels') -- Setting it closes the step of what was typed before.
  local row, col = unpack(api.nvim_win_get_cursor(0))
  local lines = text.lines(piece)
  api.nvim_buf_set_text(buf, row - 1, col, row - 1, col + replaced, lines)
  local column = (#lines == 1 and col or 0) + #lines[#lines]
  api.nvim_win_set_cursor(0, { row + #lines - 1, column })
end

return M
