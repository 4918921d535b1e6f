-- What can a recipe open?
local f = io.open "/etc/passwd"
--[==[error
fails-io.lua:2: unknown name 'io'
]==]
