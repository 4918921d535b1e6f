-- From what a recipe returns to the plan.
local core = require "t.core"
local args = require "t.args"
local check = require "t.check"
local types = require "t.types"
local source = require "t.source"

local post_least = core.size("1M") -- of a ring for what comes after the event

local recipe = {
  { "collect", nil, doc = "What is recorded." },
  { "stop", nil, doc = "What ends the capture; any of a list." },
  { "post", types.duration, doc = "How long it still records after the event." },
  { "max_time", types.duration, default = "7d", doc = "The longest time that it waits for the event." },
  { "max_bundles", types.count, doc = "How many bundles it makes, one after the other; 1 if it does not say." },
  { "cooldown", types.duration, doc = "The time between two of them." },
  { "max_disk", types.size, doc = "The room for all of them: the oldest of this run makes room for the next." },
  {
    "fsfreeze_safe", types.boolean, default = false,
    doc = "From the start until the thaw it touches no disk: for a capture around the freeze of file systems.",
  },
  { "tracer", types.text, doc = "The least version of tracer that the recipe needs." },
}

local names = {}
for i, field in ipairs(recipe) do
  names[i] = field[1]
end

-- What is wrong with the returned table is at the line of the field, or of the return.
local function fail(field, why)
  core.fail_at(source.place_of(field), why)
end

-- The objects of a list, which may nest; `place` is the field's name.
local function flatten(place, role, list, to, depth)
  local object = check.made(list)
  if object then
    if object.constructor.role ~= role and not (role == "collect" and object.name == "try") then
      core.fail_at(object.at, string.format("t.%s does not belong in %s", object.name, place))
    end
    to[#to + 1] = object
  elseif not check.is_plain(list) then
    fail(place, string.format("%s is a list of t.NAME{...}, not %s", place, types.show(list)))
  elseif depth > 32 then
    fail(place, "the lists of " .. place .. " nest too deeply")
  else
    for key, inner in pairs(list) do
      if math.type(key) ~= "integer" then
        fail(place, string.format("%s is a list, it has no field '%s'", place, tostring(key)))
      end
      flatten(place, role, inner, to, depth + 1)
    end
  end
  return to
end

-- Names that were given have to be unique, the others become so: "files", "files-2".
local function name_all(objects)
  local used = {}
  for _, object in ipairs(objects) do
    local name = object.spec.name
    if name and used[name] then
      core.fail_at(object.at, string.format("the name '%s' is taken by %s", name, used[name]))
    elseif name then
      used[name] = object.at
    end
  end
  for _, object in ipairs(objects) do
    local base = object.spec.name or object.constructor.default_name(object.spec)
    local name, n = base, 1
    while not object.spec.name and used[name] do
      n = n + 1
      name = base .. "-" .. n
    end
    object.spec.name = name
    used[name] = object.at
  end
end

-- An object may stand in a plan more than once, so each place gets a copy.
local function copy_of(object)
  local spec = {}
  for key, v in pairs(object.spec) do
    spec[key] = v
  end
  return { name = object.name, constructor = object.constructor, at = object.at, spec = spec }
end

local function entries(objects)
  local list = {}
  for i, object in ipairs(objects) do
    local spec = object.spec
    spec.type, spec.at = spec.type or object.constructor.type or object.name, object.at
    list[i] = object.spec
  end
  return core.list(list)
end

local function collect(returned, post)
  local objects = {}
  for i, object in ipairs(flatten("collect", "collect", returned.collect, {}, 0)) do
    if object.name == "try" then
      core.fail_at(object.at, "t.try stands for events in t.ftrace or paths in t.files, not for a whole source")
    end
    objects[i] = copy_of(object)
  end
  if #objects == 0 then
    fail("collect", "collect is empty, so nothing would be recorded")
  end
  for _, object in ipairs(objects) do
    local spec = object.spec
    if spec.post_keep and not post then
      core.fail_at(object.at, "t." .. object.name .. ": post is the ring for the time that the recipe's post names, and it has none")
    elseif (object.name == "ftrace" or object.name == "syscalls") and post then
      spec.post_keep = spec.post_keep or math.max(spec.keep // 4, post_least)
    end
  end
  name_all(objects)
  return entries(objects)
end

local function stop(returned)
  local objects = {}
  for i, made in ipairs(flatten("stop", "stop", returned.stop or {}, {}, 0)) do
    objects[i] = copy_of(made)
    objects[i].spec = check.selector(made)
  end
  name_all(objects)
  return entries(objects)
end

local function is_older(version, least)
  local have, need = {}, {}
  for n in version:gmatch("%d+") do
    have[#have + 1] = tonumber(n)
  end
  for n in least:gmatch("%d+") do
    need[#need + 1] = tonumber(n)
  end
  for i, n in ipairs(need) do
    if (have[i] or 0) ~= n then
      return (have[i] or 0) < n
    end
  end
  return false
end

local function check_version(least)
  if not least then
    return
  elseif not least:find("^%d+%.%d+$") and not least:find("^%d+%.%d+%.%d+$") then
    fail("tracer", 'tracer is the least version that the recipe needs, like "1.0"')
  elseif is_older(core.version, least) then
    fail("tracer", string.format("the recipe needs tracer %s, this is %s", least, core.version))
  end
end

local function check_shape(returned)
  if returned == nil then
    fail(nil, "the recipe returns nothing, it has to return { collect = {...}, stop = {...} }")
  elseif not check.is_plain(returned) then
    fail(nil, "the recipe returns " .. types.show(returned) .. ", it has to return { collect = {...}, stop = {...} }")
  end
  for key in pairs(returned) do
    if type(key) ~= "string" then
      fail(nil, "the recipe returns a list, it has to return { collect = {...}, stop = {...} }")
    end
    local known = false
    for _, name in ipairs(names) do
      known = known or name == key
    end
    if not known then
      fail(key, check.unknown(key, names, "field"))
    end
  end
  if returned.collect == nil then
    fail(nil, "the recipe has no collect, so nothing would be recorded")
  end
end

local function read_fields(returned)
  local plan = {}
  for _, field in ipairs(recipe) do
    local v = returned[field[1]]
    if v == nil then
      v = field.default
    end
    if field[2] and v ~= nil then
      local read, why = check.read(field, v)
      if read == nil then
        fail(field[1], why)
      end
      plan[field[1]] = read
    end
  end
  return plan
end

return function(returned)
  args.finish()
  check_shape(returned)
  local plan = read_fields(returned)
  if plan.max_time < 1 then
    fail("max_time", "max_time is longer than 0s")
  end
  if (plan.cooldown or plan.max_disk) and (plan.max_bundles or 1) < 2 then
    fail(plan.cooldown and "cooldown" or "max_disk", "with one bundle there is nothing between two: say max_bundles")
  end
  check_version(plan.tracer)
  plan.tracer = nil
  plan.fsfreeze_safe = plan.fsfreeze_safe or nil
  plan.schema = 1
  plan.name = source.name()
  plan.question = source.question()
  plan.args = args.plan()
  plan.collect = collect(returned, plan.post)
  plan.stop = stop(returned)
  plan.code = types.has_tests and core.code() or nil
  return plan
end
