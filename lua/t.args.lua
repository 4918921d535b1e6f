-- t.args: what the recipe wants to be told, and what it was told.
local core = require "t.core"
local source = require "t.source"
local types = require "t.types"
local value = require "t.value"

local function parse_integer(text)
  local n = text:find("^[+-]?%d+$") and math.tointeger(text) or text:find("^0[xX]%x+$") and math.tointeger(text)
  if n then
    return n, n
  end
end

local function parse_within(type)
  return function(text)
    local n = text:find("^%d+$") and type.read(math.tointeger(text))
    if n then
      return n, n
    end
  end
end

local function parse_quantity(make)
  return function(text)
    local v, why = make(text)
    if not v then
      return nil, nil, why
    end
    local _, data = value.kind(v)
    return v, data.ns or data.bytes
  end
end

local function parse_text(text)
  if core.is_text(text) then
    return text, text
  end
end

-- Each parses a word to the value that the recipe gets, and what the plan keeps of it; or to nil, nil and a sentence.
local kinds = {
  address = {
    text = "an IPv4 or IPv6 address",
    parse = function(text)
      local a = value.address(text)
      return a, a and tostring(a)
    end,
  },
  port = { text = types.port.text, parse = parse_within(types.port) },
  pid = { text = types.pid.text, parse = parse_within(types.pid) },
  integer = { text = "a whole number", parse = parse_integer },
  duration = { text = types.duration.text, parse = parse_quantity(value.duration) },
  size = { text = types.size.text, parse = parse_quantity(value.size) },
  string = { text = "a text without control characters", parse = parse_text },
  path = {
    text = "a path",
    parse = function(text)
      if text ~= "" then
        return parse_text(text)
      end
    end,
  },
}

local kind_names = {}
for name in pairs(kinds) do
  kind_names[#kind_names + 1] = name
end

local declared -- list of { name, kind, default }
local plan = {} -- by name, as it goes into the plan

local function list_or(names)
  return table.concat(names, ", ", 1, #names - 1) .. " or " .. names[#names]
end

local function declare(text)
  local name, kind, default = tostring(text):match("^([%a_][%w_]*):(%a+)=(.*)$")
  if not name then
    name, kind = tostring(text):match("^([%a_][%w_]*):(%a+)$")
  end
  if type(text) ~= "string" or not name then
    core.fail(string.format('t.args: %s is not "NAME:TYPE" or "NAME:TYPE=DEFAULT"', types.show(text)))
  elseif not kinds[kind] then
    local near = core.nearest(kind, kind_names)
    core.fail(string.format("t.args: '%s' has the unknown type '%s', %s", name, kind,
                            near and "did you mean '" .. near .. "'?" or "there is " .. list_or(kind_names)))
  end
  return { name = name, kind = kind, default = default }
end

local function declare_all(texts)
  local list, seen = {}, {}
  for i, text in ipairs(texts) do
    local arg = declare(text)
    if seen[arg.name] then
      core.fail(string.format("t.args: '%s' is declared twice", arg.name))
    end
    seen[arg.name] = true
    list[i] = arg
  end
  return list
end

local function names_of(list)
  local names = {}
  for i, arg in ipairs(list) do
    names[i] = arg.name
  end
  return names
end

-- usage: tracer scoutfs.lua IP PORT [limit=DURATION]
local function usage()
  local words = { "usage: tracer", core.recipe }
  for _, arg in ipairs(declared or {}) do
    words[#words + 1] = arg.default and string.format("[%s=%s]", arg.name, arg.kind:upper()) or arg.name:upper()
  end
  return table.concat(words, " ")
end

local function refuse(sentence, ...)
  local question = source.question()
  core.usage(string.format(sentence, ...) .. "\n" .. usage() .. (question ~= "" and "\n" .. question or ""))
end

local function find(name)
  for _, arg in ipairs(declared) do
    if arg.name == name then
      return arg
    end
  end
  local near = core.nearest(name, names_of(declared))
  refuse("unknown argument '%s='%s", name, near and ", did you mean '" .. near .. "='?" or "")
end

local function give(arg, text)
  if arg.given then
    refuse("argument '%s' is given twice", arg.name)
  end
  arg.given = text
end

-- Sorts the words to the arguments: NAME=VALUE by name, the others in order.
local function assign()
  local waiting = {}
  for _, word in ipairs(core.args) do
    local name, text = word:match("^([%a_][%w_]*)=(.*)$")
    if name then
      give(find(name), text)
    else
      waiting[#waiting + 1] = word
    end
  end
  for _, arg in ipairs(declared) do
    if not arg.default and not arg.given and #waiting > 0 then
      arg.given = table.remove(waiting, 1)
    end
  end
  if #waiting > 0 then
    refuse("'%s' is one argument too many", waiting[1])
  end
end

local function read(arg)
  if not arg.given and not arg.default then
    refuse("argument %s (%s) is missing", arg.name:upper(), kinds[arg.kind].text)
  end
  local v, kept, why = kinds[arg.kind].parse(arg.given or arg.default)
  if v ~= nil then
    plan[arg.name] = kept
    return v
  elseif not arg.given then
    core.fail(string.format("t.args: the default of '%s' is wrong: '%s' is not %s", arg.name, arg.default,
                            kinds[arg.kind].text))
  end
  refuse("argument '%s': %s", arg.name,
         why or string.format("%s is not %s", types.show(arg.given), kinds[arg.kind].text))
end

local args = {}

-- The arguments for the plan.
function args.plan()
  return plan
end

-- A recipe without t.args takes none.
function args.finish()
  if not declared and #core.args > 0 then
    refuse("'%s' is one argument too many", core.args[1])
  end
end

return setmetatable(args, {
  __call = function(_, texts)
    if declared then
      core.fail("t.args: it can be used once only")
    elseif type(texts) ~= "table" then
      texts = { texts }
    end
    declared = declare_all(texts)
    assign()
    local values = {}
    for i, arg in ipairs(declared) do
      values[i] = read(arg)
    end
    return table.unpack(values, 1, #declared)
  end,
})
