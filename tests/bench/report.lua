-- What a run of wrk sends and how its figures come back: one JSON object on the last line.
wrk.method = os.getenv("BENCH_METHOD") or "GET"
wrk.body = os.getenv("BENCH_BODY")
wrk.headers["Authorization"] = "Bearer " .. os.getenv("BENCH_TOKEN")
if wrk.body then
   wrk.headers["Content-Type"] = "application/json"
end

function done(summary, latency)
   local e = summary.errors
   io.write(string.format(
      '{"answers":%d,"us":%d,"bytes":%d,"p50":%d,"p99":%d,"other":%d,"failed":%d}\n',
      summary.requests, summary.duration, summary.bytes, latency:percentile(50),
      latency:percentile(99), e.status, e.connect + e.read + e.write + e.timeout))
end
