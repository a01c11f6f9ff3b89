-- Rings at Prefect when instances arrive, once in a while, and when a study has become stable: "there is work at this
-- site, or soon will be", and nothing more. The first ring starts a run, which needs seconds to begin and is there when
-- the study is stable (docs/decisions/0022-a-run-before-the-work.md). A stable study rings all the same: it may be late.
-- The tags that Orthanc hands over name the patient, and its own identifiers are computed from them,
-- so the event carries the site's name alone. A ring that gets lost costs minutes, not data: the
-- schedule starts the same flow, and the flow asks Orthanc itself what there is to do.
--
-- Environment of Orthanc:
--   ENTWASH_SITE              the site's name, as in the sites file
--   PREFECT_API_URL           such as https://prefect.example.org/api
--   PREFECT_API_AUTH_STRING   user:password, where the Prefect server asks for it

local SITE = os.getenv("ENTWASH_SITE") or ""
local API_URL = string.gsub(os.getenv("PREFECT_API_URL") or "", "/+$", "")
local CREDENTIALS = os.getenv("PREFECT_API_AUTH_STRING") or ""
local REST = 20 -- seconds between two rings for instances
local LONGEST_REST = 300 -- seconds, to which it grows while nobody answers
local TIMEOUT = 5 -- seconds; Orthanc receives nothing while Lua waits

-- For machines without /dev/urandom. The address of a new table differs from process to process,
-- so two sites that start in the same second don't draw the same numbers.
local address = tonumber(string.match(tostring({}), "0x(%x+)") or "0", 16) or 0
math.randomseed((os.time() * 1000 + math.floor(os.clock() * 1000000) + address) % 2147483647)

local function random_bytes(count)
  local source = io.open("/dev/urandom", "rb")
  local bytes = source and source:read(count)
  if source then
    source:close()
  end
  if bytes and #bytes == count then
    return { string.byte(bytes, 1, count) }
  end
  local drawn = {}
  for i = 1, count do
    drawn[i] = math.random(0, 255)
  end
  return drawn
end

-- A version 4 UUID (RFC 9562 section 5.4). Prefect counts equal event ids once, so each ring has its own.
local function uuid()
  local bytes = random_bytes(16)
  bytes[7] = 0x40 + bytes[7] % 16
  bytes[9] = 0x80 + bytes[9] % 64
  local hex = {}
  for i = 1, 16 do
    hex[i] = string.format("%02x", bytes[i])
  end
  local digits = table.concat(hex)
  return string.format("%s-%s-%s-%s-%s", string.sub(digits, 1, 8), string.sub(digits, 9, 12),
    string.sub(digits, 13, 16), string.sub(digits, 17, 20), string.sub(digits, 21, 32))
end

-- Written by hand: Orthanc's DumpJson makes an empty table null and every number a string.
local function event()
  return string.format(
    '[{"id": "%s", "occurred": "%s", "event": "entwash.doorbell", ' ..
    '"resource": {"prefect.resource.id": "entwash.site.%s"}, "payload": {}}]',
    uuid(), os.date("!%Y-%m-%dT%H:%M:%SZ"), SITE)
end

local function fault()
  if not string.match(SITE, "^[%w_-]+$") then
    return "set ENTWASH_SITE to the site's name (letters, digits, - and _) in Orthanc's environment"
  end
  if not string.match(API_URL, "^https?://") then
    return "set PREFECT_API_URL to the address of Prefect's API in Orthanc's environment"
  end
  return nil
end

-- Returns whether it was heard.
local function ring()
  if fault() then
    print("doorbell not rung: " .. fault())
    return false
  end
  if SetHttpTimeout then -- newer than Orthanc 1.10; there, HttpTimeout in the configuration limits the wait
    SetHttpTimeout(TIMEOUT)
  end
  local user, password = string.match(CREDENTIALS, "^([^:]*):(.*)$")
  if user then
    SetHttpCredentials(user, password)
  end
  -- Without this header Prefect answers 422.
  local answer = HttpPost(API_URL .. "/events", event(), { ["Content-Type"] = "application/json" })
  if answer == nil then
    print("doorbell not answered: see the line above for the cause. The schedule will bring the study.")
  end
  return answer ~= nil
end

local ended = nil -- when the last ring was over; Lua callbacks come one after the other
local heard = true
local rest = REST

-- Tells whether the rest after the last ring is over; a clock that is put back does not silence the doorbell.
local function rested()
  local since = ended and os.difftime(os.time(), ended)
  return not since or since < 0 or since >= rest
end

local function ring_and_rest()
  heard = ring()
  rest = heard and REST or math.min(2 * rest, LONGEST_REST)
  ended = os.time()
end

-- Where nobody answers, Orthanc receives nothing for as long as a ring takes. So no ring comes before the rest is over:
-- the schedule brings what rang for nobody.
function OnStableStudy(studyId, tags, metadata)
  if heard or rested() then
    ring_and_rest()
  end
end

function OnStoredInstance(instanceId, tags, metadata, origin)
  if rested() then
    ring_and_rest()
  end
end

if fault() then
  print("doorbell is off: " .. fault())
end
