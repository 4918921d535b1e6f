-- What is read from the recipe's text: its name, its question, where a field stands.
local core = require "t.core"

local source = {}

local function lines()
  return (core.source .. "\n"):gmatch("([^\n]*)\n")
end

-- "scoutfs" of "scoutfs.lua", fit for the name of a bundle.
function source.name()
  local name = core.recipe:gsub("%.lua$", ""):gsub("[^%w._-]", "-"):gsub("^[.-]+", "")
  return name ~= "" and name:sub(1, 64) or "recipe"
end

-- The text of the first comment line.
function source.question()
  for line in lines() do
    local text = line:match("^%-%-+%s*(.-)%s*$")
    if text then
      return (text:gsub("%c", " "))
    elseif not line:find("^%s*$") and not line:find("^#") then
      return ""
    end
  end
  return ""
end

-- A recipe ends in its return, so that is the last line that starts with one; a field is behind it.
function source.place_of(field)
  local at, number, last = nil, 0, 1
  for line in lines() do
    number = number + 1
    if line:find("^return%f[^%w_]") then
      at, last = nil, number
    end
    if field and not at and line:find("%f[%w_]" .. field .. "%s*=[^=]") then
      at = number
    end
  end
  return core.recipe .. ":" .. (at or last)
end

return source
