-- The types of fields. Each has `read`, which gives what goes into the plan, or nil and a sentence that says why
-- not; `text`, which says what is expected; and `word`, which stands for it in the manual.
local core = require "t.core"
local value = require "t.value"

local types = {}

-- A value as a sentence shows it.
function types.show(v)
  if type(v) == "string" then
    local text = #v > 40 and v:sub(1, 40) .. "..." or v
    return "'" .. text:gsub("%c", "?") .. "'"
  elseif type(v) == "number" or type(v) == "boolean" or value.kind(v) then
    return tostring(v)
  end
  return "a " .. type(v)
end

local function unit(kind, field, parse, forms)
  return {
    text = "a " .. kind .. " like " .. forms, word = kind:upper(),
    read = function(v)
      local is, data = value.kind(v)
      if is == kind then
        return data[field]
      elseif type(v) == "string" then
        return parse(v)
      elseif type(v) == "number" then
        return parse(string.format("%.14g", v))
      end
    end,
  }
end

types.duration = unit("duration", "ns", core.duration, '"200ms", "3s" or "5m"')
types.size = unit("size", "bytes", core.size, '"64K", "8M" or "2G"')

types.size_or_duration = {
  word = "SIZE|DURATION",
  text = 'a size like "64M" or a duration like "30s"',
  -- gives the name of the field in the plan too
  read = function(v)
    local ns = types.duration.read(v)
    if ns then
      return { keep_ns = ns }
    end
    local bytes, why = types.size.read(v)
    return bytes and { keep = bytes }, why and why:gsub("write a size like.*", 'write "64M" or "30s"')
  end,
}

types.payload = {
  word = 'SIZE|"all"',
  text = 'a size like "128B", or "all"',
  read = function(v)
    if v == "all" then
      return 0
    end
    local bytes, why = types.size.read(v)
    if bytes and (bytes < 1 or bytes > 262144) then
      return nil, types.show(v) .. ' is not between "1B" and "256K"'
    end
    return bytes, why
  end,
}

-- The number of a test in the plan.
types.test = {
  word = "FUNCTION",
  text = "a function, like function(ev) return ev.prev_prio > 100 end",
  read = function(v)
    if type(v) == "function" then
      types.has_tests = true
      return core.test(v)
    end
  end,
}

types.boolean = {
  word = "true|false",
  text = "true or false",
  read = function(v)
    if type(v) == "boolean" then
      return v
    end
  end,
}

types.text = {
  word = "TEXT",
  text = "a text",
  read = function(v)
    if value.kind(v) == "address" then
      return tostring(v)
    elseif type(v) == "string" and v ~= "" then
      if not core.is_text(v) then
        return nil, "it holds a control character, or is not UTF-8"
      end
      return v
    end
  end,
}

local function matching(word, text, longest, pattern)
  return {
    word = word,
    text = text,
    read = function(v)
      if type(v) == "string" and #v <= longest and core.is_text(v) and v:find(pattern) then
        return v
      end
    end,
  }
end

types.name = matching("NAME", "a name of letters, digits, '.', '_' and '-', at most 64 of them", 64, "^[%w_-][%w._-]*$")
types.interface = matching("INTERFACE", "the name of a network interface", 15, "^[^%s/]+$")
types.label = matching("TEXT", "a text of at most 100 bytes", 100, "^.+$")

types.states = matching("STATES", 'letters of task states like "D" or "RD"', 10, "^[RSDTtXZPI]+$")

types.comm = {
  word = "COMM",
  text = "a command name",
  read = function(v)
    local name, why = types.text.read(v)
    if name and #name > 15 then
      return nil, types.show(v) .. " has " .. #name .. " bytes, a command name has at most 15"
    end
    return name, why
  end,
}

-- `word` is what the manual calls it, N without one.
function types.integer(least, most, what, word)
  return {
    word = word or "N",
    text = what,
    read = function(v)
      local n = type(v) == "number" and math.tointeger(v)
      return n and n >= least and n <= most and n or nil
    end,
  }
end

types.port = types.integer(1, 65535, "a port from 1 to 65535", "PORT")
types.pid = types.integer(1, 4194304, "a process ID from 1 to 4194304", "PID")
types.count = types.integer(1, 1000000, "a whole number from 1 to 1000000")
types.limit = types.integer(0, 999999, "a whole number from 0 to 999999")
types.offset = types.integer(0, 65535, "a whole number from 0 to 65535")
types.bytes_size = types.integer(1, 8, "a whole number from 1 to 8")

types.address = {
  word = "ADDRESS",
  text = 'an IPv4 or IPv6 address like "10.0.0.5" or "fe80::1"',
  read = function(v)
    local a = type(v) == "string" and value.address(v) or v
    return value.kind(a) == "address" and tostring(a) or nil
  end,
}

-- A value, or "{FIELD}" for one of the stop event.
function types.field_or(of)
  return {
    word = of.word .. '|"{FIELD}"',
    text = of.text .. ', or a field of the stop event like "{pid}"',
    read = function(v)
      if type(v) == "string" and v:find("^{[%a_][%w_]*}$") then
        return v
      end
      return of.read(v)
    end,
  }
end

-- An event: SYSTEM:NAME with globs, kprobe:FUNC or uprobe:PATH:SYMBOL.
local event_forms = {
  "^kprobe:[%w_.]+$",
  "^uprobe:/.*:[^:%s]+$",
  "^[%w_*?%[%]!-]+:[%w_*?%[%]!-]+$",
}

types.event = {
  word = "EVENT",
  text = "an event like SYSTEM:NAME, kprobe:FUNC or uprobe:/PATH:SYMBOL",
  read = function(v)
    if type(v) ~= "string" or not core.is_text(v) then
      return nil
    end
    local probe = v:match("^[ku]probe:")
    for i, form in ipairs(event_forms) do
      if v:find(form) and (i < 3 or not probe) then
        return v
      end
    end
  end,
}

types.path = {
  word = "PATH",
  text = 'an absolute path like "/proc/meminfo"',
  read = function(v)
    if type(v) == "string" and v:sub(1, 1) == "/" and core.is_text(v) then
      return v
    end
  end,
}

types.log = {
  word = "LOG",
  text = '"kernel", "journal", or the path of a log like "/var/log/messages"',
  read = function(v)
    return (v == "kernel" or v == "journal") and v or types.path.read(v)
  end,
}

-- The same for who records it.
types.recorded_log = {
  word = "LOG",
  text = '"kernel", "journal", "freezes", or the path of a log like "/var/log/messages"',
  read = function(v)
    local near = type(v) == "string" and core.nearest(v, { "kernel", "journal", "freezes" })
    if v ~= "freezes" and near and near ~= v then
      return nil, types.show(v) .. " is no log, did you mean '" .. near .. "'?"
    end
    return v == "freezes" and v or types.log.read(v)
  end,
}

-- What a condition looks for; t.check knows the objects.
types.selector = {
  word = "SELECTOR",
  text = "t.event, t.packet or t.line",
  read = function(v) return types.selection(v) end,
}

-- What a gauge is compared with: a number as the file has it, or a size; `name` is the field's.
function types.level(name)
  return {
    word = "N|SIZE",
    text = 'a number, or a size like "512M"',
    read = function(v)
      if type(v) == "number" then
        return { [name] = v }
      end
      local bytes, why = types.size.read(v)
      return bytes and { [name] = bytes, bytes = true }, why
    end,
  }
end

types.conditions = { word = "CONDITION", text = "two conditions or more", read = function() end }

-- One side of a key: the name of a field, or t.bytes.
local function key_side(v)
  if type(v) == "string" and v:find("^[%w_.]+$") then
    return v
  end
  return types.bytes(v)
end

-- One value of a key: the same on both sides, or { on = , need = }.
local function key_part(v)
  local side = key_side(v)
  if side then
    return { on = side, need = side }
  elseif type(v) == "table" and not value.kind(v) and v.on ~= nil and v.need ~= nil then
    local on, need = key_side(v.on), key_side(v.need)
    return on and need and { on = on, need = need }
  end
end

types.key = {
  word = "KEY",
  text = 'the name of a field, { on = "xid", need = "rpc_xid" }, t.bytes, or a list of them',
  read = function(v)
    local part = key_part(v)
    if part then
      return core.list { part }
    elseif type(v) ~= "table" or value.kind(v) or #v == 0 then
      return nil
    end
    local parts = {}
    for i, inner in ipairs(v) do
      parts[i] = key_part(inner)
      if not parts[i] then
        return nil
      end
    end
    if #parts > 4 then
      return nil, "a key has at most 4 values"
    end
    return core.list(parts)
  end,
}

local function among(words, v)
  for _, word in ipairs(words) do
    if v == word then
      return word
    end
  end
end

-- One of a few words.
function types.choice(...)
  local words = { ... }
  local quoted = {}
  for i, word in ipairs(words) do
    quoted[i] = '"' .. word .. '"'
  end
  return {
    word = table.concat(quoted, "|"),
    text = table.concat(quoted, " or "),
    read = function(v) return among(words, v) end,
  }
end

-- One of many words; the nearest is told for another.
function types.one_of(words, text, word)
  return {
    word = word,
    text = text,
    read = function(v)
      if among(words, v) then
        return v
      end
      local near = type(v) == "string" and core.nearest(v, words)
      return nil, near and types.show(v) .. " is not " .. text .. ", did you mean '" .. near .. "'?" or nil
    end,
  }
end

-- One or a list of them; lists nest.
function types.list(of)
  local function add(to, v)
    if type(v) == "table" and not value.kind(v) then
      for _, inner in ipairs(v) do
        local bad, why = add(to, inner)
        if bad then
          return bad, why
        end
      end
      return
    end
    local item, why = of.read(v)
    if item == nil then
      return v, why or types.show(v) .. " is not " .. of.text
    end
    to[#to + 1] = item
  end
  return {
    word = of.word .. "...",
    text = of.text .. ", or a list of them",
    read = function(v)
      local items = {}
      local bad, why = add(items, v)
      if bad ~= nil then
        return nil, why
      end
      return core.list(items)
    end,
  }
end

return types
