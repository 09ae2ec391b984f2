<?php

namespace Shelf\View;

/** For links that are made of words. */
function slug(string $text): string
{
    $plain = iconv('UTF-8', 'ASCII//TRANSLIT', $text);

    return trim(preg_replace('/[^a-z0-9]+/', '-', strtolower($plain)), '-');
}


/** "3 episodes", "1 episode" */
function counted(int $number, string $word): string
{
    return "$number {$word}s";
}
