-- The circuit breaker of every model, shared by all processes: a batch of questions and reports, applied as one.
-- realtime/llm/circuit.py is the same machine in Python; a test drives both and compares every step.
-- ARGV: 1 policy, 2 operations, 3 milliseconds since 1970 (empty: the server's clock, the same for all processes).
-- Keys are named by the operations, so this needs one Redis, not a cluster.
local policy = cjson.decode(ARGV[1])
local operations = cjson.decode(ARGV[2])
local now = tonumber(ARGV[3])
if not now then
    local clock = redis.call('TIME')
    now = clock[1] * 1000 + math.floor(clock[2] / 1000)
end
local transitions = {}
local current = 0

local FIELDS = {'state', 'generation', 'failures', 'open_until', 'probe_until', 'limited_until', 'window', 'reason'}

local function save(key, circuit)
    redis.call('HSET', key,
        'state', circuit.state, 'generation', circuit.generation, 'failures', circuit.failures,
        'open_until', circuit.open_until, 'probe_until', circuit.probe_until,
        'limited_until', circuit.limited_until, 'window', circuit.window, 'reason', circuit.reason)
    redis.call('PEXPIRE', key, policy.kept)
end

local function load(key)
    local row = redis.call('HMGET', key, unpack(FIELDS))
    if row[1] then
        return {
            state = row[1], generation = tonumber(row[2]), failures = tonumber(row[3]),
            open_until = tonumber(row[4]), probe_until = tonumber(row[5]), limited_until = tonumber(row[6]),
            window = row[7], reason = row[8],
        }
    end
    -- The first generation is the clock, so that a call made before Redis lost its memory is recognised as old.
    local circuit = {
        state = 'closed', generation = now, failures = 0, open_until = 0, probe_until = 0, limited_until = 0,
        window = '', reason = '',
    }
    save(key, circuit)
    redis.call('SADD', policy.index, key)
    return circuit
end

local function move(key, circuit, state, reason)
    local at = string.format('%.0f', now)
    table.insert(transitions, {current, key, circuit.state, state, reason, now})
    redis.call('XADD', policy.history, 'MAXLEN', '~', 10000, '*',
        'target', string.sub(key, 4), 'from_state', circuit.state, 'to_state', state, 'reason', reason, 'at', at)
    circuit.state = state
    circuit.reason = reason
    circuit.generation = circuit.generation + 1
    circuit.failures = 0
    circuit.window = ''
end

local function open(key, circuit, pause, reason)
    move(key, circuit, 'open', reason)
    circuit.open_until = now + pause
end

local function free_at(circuit)
    local free = now
    if circuit.state == 'open' then free = circuit.open_until end
    if circuit.state == 'half_open' then free = circuit.probe_until end
    return math.max(now, free, circuit.limited_until)
end

-- A probe is over as soon as it is answered, long before its lease is.
local function ask_at(circuit)
    if circuit.state ~= 'half_open' then return free_at(circuit) end
    local again = now + math.max(policy.ask_again, now - circuit.open_until)
    return math.max(now, circuit.limited_until, math.min(circuit.probe_until, again))
end

local function admit(key, circuit, lease, closed_only)
    if free_at(circuit) > now then return nil end
    if circuit.state == 'closed' then return {circuit.generation, 0} end
    if closed_only then return nil end
    if circuit.state == 'open' then
        move(key, circuit, 'half_open', 'probe')
    else
        -- The holder of the probe did not come back: the next caller takes it over, and its late report is void.
        circuit.generation = circuit.generation + 1
    end
    circuit.open_until = now
    circuit.probe_until = now + lease
    save(key, circuit)
    return {circuit.generation, 1}
end

local function acquire(operation)
    local soonest = 0
    for index, key in ipairs(operation.keys) do
        local circuit = load(key)
        local granted = not operation.look and admit(key, circuit, operation.lease, operation.closed_only)
        if granted then return {index - 1, granted[1], granted[2]} end
        local again = ask_at(circuit)
        if soonest == 0 or again < soonest then soonest = again end
    end
    return {-1, soonest, 0}
end

local function count(key, circuit, bad)
    if not bad and circuit.failures == 0 and circuit.window == string.rep('0', policy.sample) then return end
    circuit.window = string.sub(circuit.window .. (bad and '1' or '0'), -policy.sample)
    circuit.failures = bad and circuit.failures + 1 or 0
    local _, bad_count = string.gsub(circuit.window, '1', '')
    if circuit.failures >= policy.failures then
        open(key, circuit, policy.pause, 'failures')
    elseif bad and #circuit.window >= policy.least_sample and bad_count * 100 >= #circuit.window * policy.bad_percent then
        open(key, circuit, policy.pause, 'bad_share')
    end
    save(key, circuit)
end

local function report_probe(key, circuit, verdict)
    if verdict == 'success' then
        move(key, circuit, 'closed', 'probe_succeeded')
    elseif verdict == 'failure' then
        open(key, circuit, policy.pause, 'probe_failed')
    else
        -- The probe told nothing about the target: the next call may be one.
        open(key, circuit, 0, 'probe_released')
    end
    save(key, circuit)
end

local function report(operation)
    local key, verdict = operation.key, operation.verdict
    local circuit = load(key)
    if operation.generation ~= circuit.generation then return {0} end
    if verdict == 'limited' then
        circuit.limited_until = math.max(circuit.limited_until, now + operation.wait)
        save(key, circuit)
    end
    if policy.pauses[verdict] then
        open(key, circuit, policy.pauses[verdict], verdict)
        save(key, circuit)
    elseif circuit.state == 'half_open' then
        report_probe(key, circuit, verdict)
    elseif verdict == 'success' or verdict == 'failure' then
        count(key, circuit, verdict == 'failure')
    end
    return {1}
end

local results = {}
for index, operation in ipairs(operations) do
    current = index - 1
    results[index] = operation.keys and acquire(operation) or report(operation)
end
return cjson.encode({results, transitions})
