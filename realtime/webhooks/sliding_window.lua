-- Counts against sliding windows, many keys in one round trip.
-- KEYS: one per subject. ARGV: now in ms, then for each key: window in ms, limit, how many are asked for.
-- Answers for each key: how many are admitted, after how many ms one more would be, and how many are left.
-- Two counters approximate the window: the last one fades out while the present one fills.
local now = tonumber(ARGV[1])
local answer = {}
for index, subject in ipairs(KEYS) do
    local window = tonumber(ARGV[index * 3 - 1])
    local limit = tonumber(ARGV[index * 3])
    local asked = tonumber(ARGV[index * 3 + 1])
    local bucket = math.floor(now / window)
    local elapsed = now - bucket * window
    local counts = redis.call('MGET', subject .. ':' .. bucket, subject .. ':' .. (bucket - 1))
    local current = tonumber(counts[1] or 0)
    local previous = tonumber(counts[2] or 0)
    local used = current + previous * (1 - elapsed / window)
    local admitted = math.max(0, math.min(asked, math.floor(limit - used)))
    if admitted > 0 then
        redis.call('INCRBY', subject .. ':' .. bucket, admitted)
        redis.call('PEXPIRE', subject .. ':' .. bucket, window * 2)
    end
    local wait = 0
    if admitted < asked then
        if current >= limit then
            -- The present counter must itself become the last one and fade by one.
            wait = window - elapsed + math.ceil(window / limit)
        else
            wait = math.max(1, math.ceil(window * (1 - (limit - current - 1) / math.max(previous, 1)) - elapsed))
        end
    end
    answer[#answer + 1] = admitted
    answer[#answer + 1] = wait
    answer[#answer + 1] = math.max(0, math.floor(limit - used) - admitted)
end
return answer
