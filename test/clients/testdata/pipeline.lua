-- Three requests at a time on each connection, before the first is answered.
init = function()
	local post = wrk.format("POST", "/digest", { ["Content-Type"] = "text/plain" }, string.rep("a line of an upload\n", 100))
	together = wrk.format("GET", "/hello") .. post .. wrk.format("GET", "/hello")
end

request = function()
	return together
end
