-- The constructors with their fields, as a part of a manual page in man(7): a section for each, and one for what
-- several share.
local fields = require "t.fields"

local shared = {
  {
    "source", "What all sources share",
    "Each source can have this field besides its own. The synopses leave it out.",
  },
  {
    "sample", "What files, tasks, sockets and commands share",
    "t.files, t.tasks, t.sockets and t.exec take something at the start, at the stop, or again and again. "
      .. "These fields say when.",
  },
  {
    "condition", "What all conditions share",
    "Each condition can have these fields besides its own. The synopses leave them out. "
      .. "A condition that another one looks for has none of them, and one that has a within of its own no other.",
  },
}

-- Text, in which names are not divided at the end of a line.
local function escape(text)
  return (text:gsub("\\", "\\e"):gsub("-", "\\-"):gsub("^([.'])", "\\&%1"):gsub("%S*[_/]%S*", "\\%%%0"))
end

-- As it has to be typed.
local function literal(text)
  local typed = { ["\\"] = "\\e", ["-"] = "\\-", ["'"] = "\\(aq", ["~"] = "\\(ti", ["^"] = "\\(ha", ["`"] = "\\(ga" }
  return (text:gsub("[\\'~^`-]", typed):gsub("^%.", "\\&."))
end

-- A word that stands for a value: capitals for what is to be filled in.
local function value(word)
  return (escape(word):gsub("%f[%a]%u+%f[%A]", "\\fI%0\\fR"))
end

local function word_of(field)
  return field.word or field[2].word
end

-- A line for each sentence, so that all of them are set apart alike.
local function sentences(lines, text)
  for sentence in (text:gsub("([.]) (%u)", "%1\n%2") .. "\n"):gmatch("(.-)\n") do
    lines[#lines + 1] = escape(sentence)
  end
end

local function paragraph(lines, tag, texts)
  lines[#lines + 1] = ".TP"
  lines[#lines + 1] = tag
  for _, text in ipairs(texts) do
    sentences(lines, text)
  end
end

local function capital(text)
  return text:sub(1, 1):upper() .. text:sub(2)
end

local function add(texts, text)
  texts[#texts + 1] = text
end

local function describe(lines, field)
  local texts, default = { field.doc }, field.default
  if word_of(field) == "N" and not field.shared then
    add(texts, capital(field[2].text) .. ".")
  end
  if default ~= nil and type(default) ~= "table" then
    add(texts, "Default: " .. (type(default) == "string" and '"' .. default .. '"' or tostring(default)) .. ".")
  end
  if field.only and not field.shared then
    add(texts, field.only == "stop" and "Not in t.ftrace." or "In t.ftrace only.")
  end
  if field.from then
    add(texts, "See " .. field.from .. ".")
  end
  paragraph(lines, ".B " .. field[1] .. " = \\fR" .. value(word_of(field)), texts)
end

-- What stands for the positional values.
local function what_word(what)
  return (what.word or what.type.word) .. ((what.each or not (what.most or what.word)) and "..." or "")
end

-- One field of a synopsis, or several of which one is given.
local function choice(group)
  local names, each, words = {}, {}, {}
  for i, field in ipairs(group) do
    local word = value(word_of(field))
    names[i] = "\\fB" .. field[1] .. "\\fR"
    each[i] = names[i] .. "\\ =\\ " .. word
    words[word] = true
  end
  local same = next(words, next(words)) == nil
  return same and table.concat(names, "|") .. "\\ =\\ " .. value(word_of(group[1])) or table.concat(each, " | ")
end

-- The fields, with those that are alternatives in one group.
local function groups_of(constructor)
  local groups = {}
  for _, field in ipairs(constructor) do
    if field.alternative then
      add(groups[#groups], field)
    elseif not field.shared or field.shared == "sample" then
      add(groups, { field })
    end
  end
  return groups
end

local function synopsis(name, constructor)
  local parts, what = {}, constructor.what
  if what then
    add(parts, what.least and value(what_word(what)) or "[" .. value(what_word(what)) .. "]")
  end
  for _, group in ipairs(groups_of(constructor)) do
    add(parts, group[1].needed and choice(group) or "[" .. choice(group) .. "]")
  end
  return { ".SY t." .. name, "{ " .. table.concat(parts, ", ") .. " }", ".YS" }
end

local function extend(lines, more)
  table.move(more, 1, #more, #lines + 1, lines)
end

local function example(text)
  local lines = { ".PP", ".RS 2", ".EX" }
  for line in text:gmatch("[^\n]+") do
    add(lines, literal(line))
  end
  extend(lines, { ".EE", ".RE" })
  return lines
end

local function section(lines, name, constructor)
  local what = constructor.what
  extend(lines, { ".SS t." .. name, escape(constructor.doc) })
  extend(lines, synopsis(name, constructor))
  extend(lines, example(constructor.example))
  if what then
    paragraph(lines, value(what_word(what)), { what.doc, what.from and "See " .. what.from .. "." })
  end
  for _, field in ipairs(constructor) do
    if not field.shared then
      describe(lines, field)
    end
  end
end

-- The fields with a mark, each once.
local function fields_shared(mark)
  local found, seen = {}, {}
  for _, constructor in pairs(fields) do
    for _, field in ipairs(constructor) do
      if field.shared == mark and not seen[field] then
        seen[field] = true
        add(found, field)
      end
    end
  end
  return found
end

return function()
  local lines = {}
  for _, share in ipairs(shared) do
    add(lines, ".SS " .. share[2])
    sentences(lines, share[3])
    for _, field in ipairs(fields_shared(share[1])) do
      describe(lines, field)
    end
  end
  for name, constructor in pairs(fields) do
    section(lines, name, constructor)
  end
  return table.concat(lines, "\n") .. "\n"
end
