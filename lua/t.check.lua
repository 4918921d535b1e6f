-- Checks what a constructor is given against its table (t.fields), and makes the plan's entry of it.
local core = require "t.core"
local types = require "t.types"
local value = require "t.value"

local check = {}
local made = {} -- what each object stands for

local depth_max = 32 -- of nested lists

-- What an object that a constructor gave stands for: { constructor, at, spec, items, given }; nil for any other value.
function check.made(object)
  return made[object]
end

-- A table of the recipe's that is neither an object nor a value of ours.
function check.is_plain(v)
  return type(v) == "table" and not made[v] and not value.kind(v)
end

-- The sentence for an unknown name, with the nearest.
function check.unknown(word, names, kind)
  local near = core.nearest(word, names)
  return string.format("unknown %s '%s'%s", kind, word,
                       near and ", did you mean '" .. near .. "'?" or ", there is " .. table.concat(names, ", "))
end

-- The plan's entry of what a condition looks for: just one.
function check.selector(object)
  local spec = {}
  for key, v in pairs(object.spec) do
    spec[key] = v
  end
  spec.type, spec.at = spec.type or object.constructor.type or object.name, object.at
  if object.name == "event" then
    if #spec.events > 1 then
      core.fail_at(object.at,
                   "t.event: a stop condition has one event, a list of conditions means any of them")
    end
    check.refuse_fields(object, "stop")
    spec.event, spec.events = spec.events[1].event, nil
  end
  return spec
end

-- The same for what another condition looks for: it has none of what belongs to a condition.
local function selected(object)
  for _, field in ipairs(object.constructor) do
    if object.named[field[1]] ~= nil and field.only == "stop" and not field.selects then
      core.fail_at(object.at, string.format("t.%s: %s belongs to the condition, not to what it looks for",
                                            object.name, field[1]))
    end
  end
  local spec = check.selector(object)
  if spec.type == "exit" then
    core.fail_at(object.at, "t.exit: by comm, exe or cgroup it is a condition of its own; others look for one by pid or code")
  end
  spec.hits = nil
  return spec
end

function types.selection(v)
  local object = made[v]
  return object and object.constructor.selects and selected(object) or nil
end

-- The plan's entry of a stop condition.
function check.condition(object)
  local spec = check.selector(object)
  spec.name = spec.name or object.constructor.default_name(spec)
  return spec
end

-- The bytes that t.bytes stands for; nil for any other value.
function types.bytes(v)
  local object = made[v]
  return object and object.name == "bytes" and object.spec or nil
end

-- A field's value for the plan, or nil and the sentence.
function check.read(field, v)
  local read, why = field[2].read(v)
  if read == nil then
    return nil, why and string.format("%s: %s", field[1], why)
      or string.format("%s must be %s, not %s", field[1], field[2].text, types.show(v))
  end
  return read
end

local function field_names(constructor)
  local names = {}
  for i, field in ipairs(constructor) do
    names[i] = field[1]
  end
  return names
end

local function find_field(constructor, name)
  for _, field in ipairs(constructor) do
    if field[1] == name then
      return field
    end
  end
end

local function put(spec, field, read)
  if not field.spread then
    spec[field.plan or field[1]] = read
    return
  end
  for key, v in pairs(read) do
    spec[key] = v
  end
end

-- Splits a table into its list and its named fields.
local function split(fail, constructor, given)
  local list, named, n = {}, {}, #given
  for key, v in pairs(given) do
    if math.type(key) == "integer" and key >= 1 and key <= n then
      list[key] = v
    elseif type(key) == "string" then
      if not find_field(constructor, key) then
        fail(check.unknown(key, field_names(constructor), "field"))
      end
      named[key] = v
    else
      fail("a field has a name, [" .. types.show(key) .. "] has none")
    end
  end
  for i = 1, n do
    if list[i] == nil then
      fail(string.format("value %d of the list is nil", i))
    end
  end
  return list, named
end

local function read_named(fail, constructor, spec, named)
  for _, field in ipairs(constructor) do
    local v = named[field[1]]
    if v == nil then
      v = field.default
    end
    if v ~= nil then
      local read, why = check.read(field, v)
      if read == nil then
        fail(why)
      end
      put(spec, field, read)
    end
  end
end

-- Adds one positional value: a text, an object that is accepted here, or a list of them.
local function add_item(fail, what, items, v, at, depth)
  local object = made[v]
  if depth > depth_max then
    fail("lists nest too deeply")
  elseif object then
    if not (what.accepts and what.accepts[object.name]) then
      fail(string.format("t.%s does not belong here", object.name))
    end
    items[#items + 1] = object
  elseif check.is_plain(v) then
    for key, inner in pairs(v) do
      if math.type(key) ~= "integer" then
        fail("a list has no field '" .. tostring(key) .. "'")
      end
      add_item(fail, what, items, inner, at, depth + 1)
    end
  else
    local read, why = what.type.read(v)
    if read == nil then
      fail(why or types.show(v) .. " is not " .. what.type.text)
    end
    items[#items + 1] = { text = read, at = at }
  end
end

-- The plan's entry for one event or path.
local function entry(what, item, optional)
  local text, why = what.type.read(item.text)
  if text == nil then
    core.fail_at(item.at, why or types.show(item.text) .. " is not " .. what.type.text)
  end
  return { [what.each] = text, optional = optional, at = item.at }
end

local function refuse_fields_of(object, role)
  for _, field in ipairs(object.constructor) do
    if object.named[field[1]] ~= nil and field.only and field.only ~= role then
      core.fail_at(object.at, string.format("t.%s: %s belongs in %s", object.name, field[1],
                                            field.only == "stop" and "a stop condition" or "t.ftrace"))
    end
  end
end

-- Adds an item's entries; t.try makes all of its own optional, t.event has a filter for all of its own.
local function add_entries(what, entries, item, optional)
  if item.name == "try" then
    for _, inner in ipairs(item.items) do
      if inner.name and not what.accepts[inner.name] then
        core.fail_at(inner.at, string.format("t.%s does not belong here", inner.name))
      end
      add_entries(what, entries, inner, true)
    end
  elseif item.name == "event" then
    refuse_fields_of(item, "collect")
    for _, inner in ipairs(item.items) do
      local e = entry(what, inner, optional)
      e.filter, e.stack, e.fetch = item.spec.filter, item.spec.stack, item.spec.fetch
      entries[#entries + 1] = e
    end
  else
    entries[#entries + 1] = entry(what, item, optional)
  end
end

local function put_items(constructor, spec, items)
  local what = constructor.what
  if not what.each then
    local item = items[1]
    spec[what.key] = item and (item.text or selected(item)) or what.default
    return
  elseif what.each == "condition" then
    local conditions = {}
    for i, item in ipairs(items) do
      conditions[i] = check.condition(item)
    end
    spec[what.key] = core.list(conditions)
    return
  end
  local entries = {}
  for _, item in ipairs(items) do
    add_entries(what, entries, item, false)
  end
  spec[what.key] = core.list(entries)
end

local function check_number(fail, what, n)
  if n < (what.least or 0) then
    fail("it needs " .. what.type.text)
  elseif what.most and n > what.most then
    fail(string.format("it takes one value, not %d: %s", n, what.type.text))
  end
end

-- The object of a constructor: nothing in it can be seen or changed by the recipe.
function check.construct(name, constructor, given)
  local at = core.where()
  local function fail(why)
    core.fail_at(at, string.format("t.%s: %s", name, why))
  end

  if type(given) == "string" or made[given] then
    given = { given }
  elseif not check.is_plain(given) then
    fail("it takes a table or a text, not " .. types.show(given))
  end
  local list, named = split(fail, constructor, given)
  local spec, items = {}, {}
  if constructor.what then
    add_item(fail, constructor.what, items, list, at, 0)
    check_number(fail, constructor.what, #items)
  elseif #list > 0 then
    fail("it has named fields only")
  end
  read_named(fail, constructor, spec, named)
  if constructor.what and name ~= "try" then
    put_items(constructor, spec, items)
  end
  local why = constructor.finish and constructor.finish(spec)
  if why then
    fail(why)
  end
  local object = setmetatable({}, {
    __index = function(_, key) fail(string.format("it has no field '%s' to read", tostring(key))) end,
    __newindex = function() fail("it cannot be changed") end,
    __tostring = function() return "t." .. name end,
    __metatable = false,
  })
  made[object] = { name = name, constructor = constructor, at = at, spec = spec, items = items, named = named }
  return object
end

-- Checks that an object may stand in a role, with the fields that it was given.
function check.refuse_fields(object, role)
  refuse_fields_of(object, role)
end

return check
