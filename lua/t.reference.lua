-- The constructors with their fields, as a part of a manual page in man(7).
local fields = require "t.fields"

local function escape(text)
  return (text:gsub("\\", "\\e"):gsub("-", "\\-"):gsub("^([.'])", "\\&%1"))
end

local function paragraph(lines, tag, texts)
  lines[#lines + 1] = ".TP"
  lines[#lines + 1] = ".B " .. escape(tag)
  for _, text in ipairs(texts) do
    lines[#lines + 1] = escape(text)
  end
end

local function default_text(field)
  local default = field.default
  if default == nil or type(default) == "table" then
    return nil
  end
  return "Default: " .. (type(default) == "string" and '"' .. default .. '"' or tostring(default)) .. "."
end

local function capital(text)
  return text:sub(1, 1):upper() .. text:sub(2)
end

local function describe(lines, field)
  local texts = { capital(field[2].text) .. ".", field.doc }
  texts[#texts + 1] = default_text(field)
  if field.only == "stop" then
    texts[#texts + 1] = "As a stop condition only."
  elseif field.only == "collect" then
    texts[#texts + 1] = "In t.ftrace only."
  end
  texts[#texts + 1] = "See " .. field.from .. "."
  paragraph(lines, field[1], texts)
end

return function()
  local lines = {}
  for name, constructor in pairs(fields) do
    lines[#lines + 1] = ".SS t." .. name
    lines[#lines + 1] = escape(constructor.doc)
    if constructor.what then
      paragraph(lines, "(in order)", { constructor.what.doc, "See " .. constructor.what.from .. "." })
    end
    for _, field in ipairs(constructor) do
      describe(lines, field)
    end
  end
  return table.concat(lines, "\n") .. "\n"
end
