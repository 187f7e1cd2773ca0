-- Defines :Sopilka. Nothing starts before require('sopilka').setup{} or the first :Sopilka.
if vim.g.loaded_sopilka then
  return
end
vim.g.loaded_sopilka = true

if vim.fn.has('nvim-0.7') == 0 then
  vim.api.nvim_err_writeln('sopilka: Neovim 0.7 or newer is needed')
  return
end

vim.api.nvim_create_user_command('Sopilka', function(command)
  local name = command.args == '' and 'status' or command.args
  local sopilka = require('sopilka')
  if sopilka.commands[name] then
    sopilka.command(name)
  else
    vim.notify(("sopilka: there is no ':Sopilka %s'"):format(name), vim.log.levels.ERROR)
  end
end, {
  nargs = '?',
  desc = 'Enable, disable, toggle, restart or status of Sopilka',
  complete = function(lead)
    local names = vim.tbl_keys(require('sopilka').commands)
    table.sort(names)
    return vim.tbl_filter(function(name)
      return vim.startswith(name, lead)
    end, names)
  end,
})
