-- Keys that act on a suggestion while one is shown, and mean what they meant before otherwise.
local api = vim.api

local M = {}

local DESCRIPTION = 'Sopilka: '

local function raw(keys)
  return api.nvim_replace_termcodes(keys, true, true, true)
end

-- Keys go before what is already waiting to be read, or fast typing would be reordered.
local function feed(keys, remap)
  api.nvim_feedkeys(keys, (remap and 'm' or 'n') .. 'i', false)
end

-- The user's mapping of `lhs` for every buffer, looked up when it is needed: it may come late.
local function global_mapping(lhs)
  for _, mapping in ipairs(api.nvim_get_keymap('i')) do
    if raw(mapping.lhs) == raw(lhs) then
      return mapping
    end
  end
end

local function fall_back(lhs, mapping)
  mapping = mapping or global_mapping(lhs)
  if not mapping then
    return feed(raw(lhs), false)
  end
  local remap = mapping.noremap == 0
  if mapping.expr == 1 then
    -- A mapping is told with '<' as '<lt>', also within the strings of its expression.
    local keys = mapping.callback and mapping.callback()
      or not mapping.callback and api.nvim_eval((mapping.rhs:gsub('<lt>', '<')))
    if type(keys) == 'string' and keys ~= '' then
      feed(mapping.replace_keycodes == 1 and raw(keys) or keys, remap)
    end
  elseif mapping.callback then
    mapping.callback()
  else
    feed(raw(mapping.rhs), remap and raw(mapping.rhs) ~= raw(lhs))
  end
end

--- Maps `keymaps` (action -> key) in a buffer. `actions[name]()` returns true when it did something.
function M.attach(buf, keymaps, actions)
  for name, lhs in pairs(keymaps) do
    local before = api.nvim_buf_call(buf, function()
      return vim.fn.maparg(lhs, 'i', false, true)
    end)
    local ours = before.desc == DESCRIPTION .. name
    local theirs = before.buffer == 1 and not ours and before or nil
    if not ours then
      vim.keymap.set('i', lhs, function()
        if not actions[name]() then
          fall_back(lhs, theirs)
        end
      end, { buffer = buf, silent = true, desc = DESCRIPTION .. name })
    end
  end
end

return M
