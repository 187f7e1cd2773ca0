--- A shop and what it sells.
local json = require("json")
local util = require "app.util"
local join = require("app.text").join
require("app.setup")

local Shop = {}
Shop.__index = Shop
Shop.limit = 10
local MAX <const> = 3
Count, other = 0, nil
local store = Store.new("é")

Shop.settings = {
  open = true,
  -- Greets.
  greet = function(who) return "hi " .. who end,
}

--- Makes one.
-- @param name what it is called
function Shop.new(name)
  local self = setmetatable({}, Shop)
  self.name = name
  local hidden = 1
  return self
end

function Shop:sell(thing, count)
  self.sold = self.sold + count
  return util.round(count), json.encode(thing)
end

Shop.late = function(self) return self:sell("x", 1) end
local function helper(x) return join(x) end
local arrow = function() end
function show(...) print(helper(...)) end

return Shop
