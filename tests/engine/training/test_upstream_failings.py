"""Where GPT-SoVITS fails its operators, and the test that shows we do not.

Each entry: what happens upstream, and `file::test` of ours. The table is held to the tests that
exist, so a renamed or deleted one is noticed here.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[2]

FAILINGS: dict[str, tuple[str, ...]] = {
    "the GPT may make no update at all and say finished": (
        "engine/training/test_batch_schedules.py::test_every_clip_once_or_twice_and_four_updates",
        "engine/training/test_whole_run.py::test_a_voice_that_is_already_there_is_no_op",
    ),
    "an unreadable saved state means starting over, silently": (
        "engine/training/test_exact_resume.py::test_only_damaged_states_never_become_the_base_silently",
    ),
    "weights that lack tensors load, the rest stays random": (
        "engine/training/test_prepared_clips.py::test_a_base_that_lacks_weights_is_refused",
        "engine/interop/test_weight_files.py::test_gpt_is_strict_and_families_are_not_mixed_up",
    ),
    "the learning rate decays twice after a resume": (
        "engine/training/test_number_formats.py::test_rates_decay_once_an_epoch_and_text_learns_slower",
    ),
    "the newest state is the one with the most digits in its path": (
        "engine/runtime/test_saved_states.py::test_two_are_kept_and_the_newest_is_read",
    ),
    "random state, scaler and place in the epoch are lost; both networks are not saved as one": (
        "engine/training/test_exact_resume.py::test_eight_updates_equal_five_a_kill_and_three",
        "engine/runtime/test_saved_states.py::test_every_rng_state_is_put_back",
    ),
    "saving over another disk is a copy onto the good file; kills leave rubbish": (
        "engine/training/test_random_kills.py::test_fifty_kills_change_nothing",
        "engine/runtime/test_saved_states.py::test_kills_at_fifty_moments_inside_saves_always_leave_a_state",
    ),
    "a cut newest state is chosen again and again": (
        "engine/training/test_exact_resume.py::test_a_damaged_state_falls_back_to_the_one_before",
    ),
    "a full disk ends the run, or it goes on without weights": (
        "engine/training/test_full_disk.py::test_training_waits_for_space_and_goes_on",
        "engine/training/test_full_disk.py::test_a_save_that_does_not_fit_leaves_the_old_state",
    ),
    "keeping only the latest deletes every file in the folder": (
        "engine/training/test_validation.py::test_the_last_epoch_is_always_saved_and_exported",
    ),
    "out of memory kills the run, and the page says finished": (
        "engine/training/test_out_of_memory.py::test_smaller_pieces_give_the_same_update",
        "engine/training/test_out_of_memory.py::test_one_clip_that_does_not_fit_is_named",
        "engine/training/test_partial_updates.py::test_a_torn_update_leaves_no_trace",
    ),
    "a damaged clip becomes silence that is trained on": (
        "engine/prepare/test_prepare_pipeline.py::test_faults_are_events_and_the_rest_goes_on",
        "engine/training/test_prepared_clips.py::test_left_out_clips_are_announced_in_both_languages",
    ),
    "NaN is trained on, saved and exported": (
        "engine/training/test_bad_numbers.py::test_a_bad_batch_is_named_and_left_out",
        "engine/training/test_bad_numbers.py::test_a_state_is_never_saved_from_bad_numbers",
        "engine/interop/test_weight_files.py::test_weights_that_would_be_noise_are_not_written",
    ),
    "the configured GPT rate is ignored, its first update five times too large": (
        "engine/training/test_validation.py::test_events_tell_rate_time_and_losses",
        "engine/training/test_golden_step.py::test_upstreams_first_gpt_update_is_five_times_larger",
    ),
    "clipping does not reach the update": (
        "engine/models/gpt/test_scaled_adam.py::test_clipping_reaches_the_update_only_when_asked",
    ),
    "progress is a bar in a terminal": (
        "engine/training/test_whole_run.py::test_every_promise_of_a_run",
        "engine/training/test_whole_run.py::test_curves_lie_ready_for_tensorboard",
    ),
    "training is a child of a web page, and stopping it saves nothing": (
        "engine/training/test_exact_resume.py::test_sigterm_saves_at_the_next_border_and_resumes",
        "engine/training/test_whole_run.py::test_sigterm_in_a_run_ends_it_as_preempted",
    ),
    "runs share one settings file": (
        "engine/runtime/test_engine_commands.py::test_single_stage_commands_write_a_spec_of_their_own",
    ),
    "ports and GPU counts are fixed in the code": (
        "engine/training/test_many_processes.py::test_torchrun_trains_a_stage",
        "engine/training/test_two_hosts.py::test_two_hosts_over_ipv6",
        "engine/runtime/test_devices.py::test_gpu_numbers_count_in_what_a_scheduler_left",
    ),
    "a crash loses a whole stage of preparation; a longer list is skipped": (
        "engine/prepare/test_prepare_pipeline.py::test_a_killed_prepare_goes_on_where_it_was",
        "engine/prepare/test_prepare_pipeline.py::test_one_changed_line_redoes_one_text",
    ),
    "a page on all addresses without a password": (
        "engine/speaking/test_closed_to_strangers.py::test_a_stranger_is_refused_everywhere",
    ),
    "files of strangers are unpickled": (
        "engine/interop/test_hostile_files.py::test_a_pickle_that_runs_is_refused_and_does_not",
        "engine/interop/test_hostile_files.py::test_every_torch_load_says_weights_only",
    ),
    "the last epoch is lost when it is no multiple of the save frequency": (
        "engine/training/test_validation.py::test_the_last_epoch_is_always_saved_and_exported",
    ),
}


@pytest.mark.parametrize("failing", FAILINGS)
def test_a_test_stands_against_it(failing: str) -> None:
    for place in FAILINGS[failing]:
        path, _, name = place.partition("::")
        tree = ast.parse((TESTS / path).read_text(encoding="utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, place
