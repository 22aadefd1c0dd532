'use strict';

(function () {
  var place = document.getElementById('health');
  var words = { ok: 'answering', degraded: 'partly answering', down: 'not answering' };

  function show(state, version) {
    place.dataset.state = state;
    place.textContent = 'Service: ' + words[state] + (version ? ' (version ' + version + ')' : '');
  }

  function ask() {
    fetch('/api/v1/health', { headers: { accept: 'application/json' }, cache: 'no-store' })
      .then(function (answer) {
        return answer.json().then(function (body) {
          var data = body.data || body;
          show(answer.ok ? 'ok' : 'degraded', answer.ok ? data.version : '');
        });
      })
      .catch(function () { show('down', ''); });
  }

  ask();
  setInterval(ask, 30000);
}());
