-- What recipes see as `t`.
local core = require "t.core"
local check = require "t.check"
local fields = require "t.fields"

local t = {
  args = require "t.args",
  host = require "t.host",
}

for name, constructor in pairs(fields) do
  t[name] = function(given)
    return check.construct(name, constructor, given)
  end
end

local names = {}
for name in pairs(t) do
  names[#names + 1] = name
end

return setmetatable({}, {
  __index = function(_, name)
    if t[name] ~= nil then
      return t[name]
    end
    local near = core.nearest(tostring(name), names)
    core.fail(string.format("t.%s is not in this version of tracer (%s)%s", name, core.version,
                            near and ", did you mean t." .. near .. "?" or ""))
  end,
  __newindex = function(_, name)
    core.fail(string.format("t.%s cannot be assigned to", name))
  end,
  __metatable = false,
})
