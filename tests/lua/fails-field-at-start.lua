-- What is told where the stop event is not known yet?
return { collect = t.files { at = "both", "/proc/{pid}/stat" } }
--[==[error
fails-field-at-start.lua:2: t.files: '/proc/{pid}/stat' names a field of the stop event, which is known at the stop only
]==]
