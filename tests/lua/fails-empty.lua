-- What is told where nothing would be recorded?
return {
  collect = { {}, { {} } },
}
--[==[error
fails-empty.lua:3: collect is empty, so nothing would be recorded
]==]
