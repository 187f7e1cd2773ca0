-- Pure text: columns in the server's units, pieces of a suggestion, tabs as the screen shows them.
local M = {}

-- What one byte of UTF-8 adds to a column. A character counts at its first byte.
local function units(byte, encoding)
  if encoding == 'utf-8' then
    return 1
  elseif byte >= 0x80 and byte < 0xC0 then
    return 0
  end
  return (encoding == 'utf-16' and byte >= 0xF0) and 2 or 1
end

--- The LSP character of a byte column. `encoding` is utf-8, utf-16 or utf-32.
function M.character_of(line, byte_column, encoding)
  local character = 0
  for i = 1, math.min(byte_column, #line) do
    character = character + units(line:byte(i), encoding)
  end
  return character
end

--- The byte column of an LSP character; past the line's end it is the line's end.
function M.byte_of(line, character, encoding)
  local counted = 0
  for i = 1, #line do
    local unit = units(line:byte(i), encoding)
    if unit > 0 and counted >= character then
      return i - 1
    end
    counted = counted + unit
  end
  return #line
end

-- Every character outside ASCII counts as a letter: a word must never end inside one.
local WORD = '[%w_\128-\255]'
local SIGN = '[^%w_%s\128-\255]'

--- The first `part` of `text`: 'all', 'line' (to the end of the first line that is not empty)
--- or 'word' (a run of letters or of signs, with the blanks before it).
function M.take(text, part)
  if part == 'word' then
    return text:match('^%s*' .. WORD .. '+') or text:match('^%s*' .. SIGN .. '+') or text
  elseif part == 'line' then
    return text:match('^\n*[^\n]*')
  end
  return text
end

function M.starts_with(text, prefix)
  return text:sub(1, #prefix) == prefix
end

function M.ends_with(text, suffix)
  return suffix == '' or text:sub(-#suffix) == suffix
end

function M.lines(text)
  return vim.split(text, '\n', { plain = true })
end

--- `text` with tabs as spaces, as it looks when it begins at screen column `column`:
--- virtual text does not know tab stops.
function M.expand_tabs(text, column)
  local out = ''
  for piece, tab in text:gmatch('([^\t]*)(\t?)') do
    out = out .. piece
    if tab ~= '' then
      local at = column + vim.fn.strdisplaywidth(out, column)
      out = out .. (' '):rep(vim.fn.strdisplaywidth('\t', at))
    end
  end
  return out
end

return M
