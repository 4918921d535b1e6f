-- What becomes of a recipe without end?
while true do
end
--[==[error
fails-endless.lua:2: the recipe takes more than 50 million steps
]==]
