"""Names that only others use: pytest, pydantic, readers of the run file, engines, users.

Dead code does not belong here; it is deleted.
"""
# ruff: noqa: B018, F821
# fmt: off

# Found by name: pytest's hooks and fixtures, entry points, messages of the host process.
_.pytest_addhooks, _.lem_cycle, _.user_properties
_.pytest_lem_update_context, _.pytest_lem_update_record
_.pytest_addoption, _.pytest_configure, _.pytest_generate_tests, _.pytest_collection_modifyitems
_.pytest_configure_node, _.pytest_testnodedown, _.pytest_report_collectionfinish
_.pytest_runtest_protocol, _.pytest_runtest_setup, _.pytest_runtest_call
_.pytest_runtest_makereport, _.pytest_fixture_setup, _.pedantic, _.__class__, _.pytest_unconfigure
_.pytest_runtest_logreport, _.pytest_sessionfinish, _.pytest_terminal_summary, _.longrepr
_.CsvReport, _.HtmlReport, _.JsonReport, _.MarkdownReport, _.ParquetReport, _.TableReport
_.TransformersBackend, _.EstimatedMeter, _.NvmlMeter, _.RaplMeter, _.SimulatedMeter
_._do_import, _._do_load, _._do_prepare, _._do_arm, _._do_run, _._do_score, _._do_collect
_._do_start, _._do_hold, _._do_stop, _._do_join
_.__getattr__, _.model_config

# Fields of an entry and of what was done in a round, read by their names.
_.sm_clock_mhz, _.power_cap_share, _.failed_outside

# Called by pydantic.
_._lengths_and_sampling_agree, _._parts_fit_the_source, _._limits_leave_room
_._prompts_have_one_source, _._some_stand_alone, _._one_name_for_each_precision
_._no_password, _._known_format, _._version_in_quotes, _._each_process_has_its_own

# Called, or read, by users' tests.
_.inference, _.arun, _.window, _.energy_j
_.energy_per_output_token_j, _.energy_per_request_j, _.output_throughput_tok_s
_.ttft_s, _.tpot_s, _.e2e_latency_s, _.read_series, _.write_csv

# Extended, or called, by the options of backends, which are found by name and left out here.
_.HubOptions, _.check_quantisation

# Called by urllib.
_.redirect_request

# Given to, called or read by vLLM.
_.engine_dead
_.engine_index, _.log_engine_initialized, _.lem_state

# Given to, or taken by, the transformers library and backends.
_._previous_max_cache_length, _._compile_all_devices
_.scores, _.pad_token, _.max_batch_size, _.reported_tokens, _.token_times_s
_.queue_s, _.cached_tokens, _.preemptions, _.kv_cache_share

# Read by llama.cpp in its parameters.
_.api_keys, _.ui, _.kv_unified_per_slot, _.flash_attn_type, _.cache_ram_mib, _.cache_idle_slots
_.n_ctx_checkpoints

# Fields of the run file, with room for paired, serving and training cases.
_.started_monotonic, _.finished, _.meter_constants, _.definitions_version, _.comparisons
_.baseline, _.candidate, _.verdict, _.interval, _.alpha, _.theta, _.promise, _.mde, _.attribution
_.scheduled, _.token_times, _.side, _.pair, _.stage, _.idle, _.clocks, _.temperatures
_.throttling, _.p50, _.p90, _.p95, _.p99, _.is_truncated, _.hash, _.settings_origin, _.quality
_.busy
_.artifacts, _.extensions, _.TRACKING, _.TRAINING, _.flops, _.u_random, _.u_systematic, _.bound
