-- Values that are more than a number or a text: addresses, durations, sizes. Each prints as a person writes it.
local core = require "t.core"

local value = {}
local kinds = {} -- of each value that was made here
local hidden = {} -- its data

-- The kind of a value made here ("address", "duration", "size"), and its data; nil for any other.
function value.kind(v)
  return kinds[v], hidden[v]
end

local function fields_of(kind, allowed)
  return function(v, name)
    local field = hidden[v][name]
    if field ~= nil then
      return field
    end
    core.fail(allowed[name] or string.format("%s '%s' has no field '%s'", kind, tostring(v), tostring(name)))
  end
end

local function read_only()
  core.fail("a value of t.args cannot be changed")
end

local function metatable(kind, refusals)
  return {
    __index = fields_of(kind, refusals),
    __newindex = read_only,
    __tostring = function(v) return hidden[v].text end,
    __concat = function(a, b) return tostring(a) .. tostring(b) end,
    __metatable = false,
  }
end

local address = metatable("address", {
  u32 = "an IPv6 address has no u32, it is a number of 128 bits",
})
address.__eq = function(a, b) return hidden[a].text == hidden[b].text end

local function quantity(kind, unit)
  local m = metatable(kind, {})
  m.__eq = function(a, b) return kinds[a] == kinds[b] and hidden[a][unit] == hidden[b][unit] end
  local function number(v)
    if kinds[v] ~= kind then
      core.fail(string.format("a %s can only be compared with a %s", kind, kind))
    end
    return hidden[v][unit]
  end
  m.__lt = function(a, b) return number(a) < number(b) end
  m.__le = function(a, b) return number(a) <= number(b) end
  return m
end

local duration = quantity("duration", "ns")
local size = quantity("size", "bytes")

local function make(kind, data, meta)
  local v = {}
  kinds[v], hidden[v] = kind, data
  return setmetatable(v, meta)
end

function value.address(text)
  local data = core.address(text)
  return data and make("address", data, address)
end

-- These two give nil and a sentence for what is not one.
function value.duration(text)
  local ns, why = core.duration(text)
  if not ns then
    return nil, why
  end
  return make("duration", { ns = ns, text = core.duration_text(ns) }, duration)
end

function value.size(text)
  local bytes, why = core.size(text)
  if not bytes then
    return nil, why
  end
  return make("size", { bytes = bytes, text = core.size_text(bytes) }, size)
end

return value
