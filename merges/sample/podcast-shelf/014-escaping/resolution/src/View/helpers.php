<?php

namespace Shelf\View;

/** For links that are made of words. */
function slug(string $text): string
{
    $plain = iconv('UTF-8', 'ASCII//TRANSLIT', $text);

    return trim(preg_replace('/[^a-z0-9]+/', '-', strtolower($plain)), '-');
}

/** Text from a feed, safe in HTML and in attributes. */
function e(?string $text): string
{
    return htmlspecialchars($text ?? '', ENT_QUOTES | ENT_SUBSTITUTE, 'UTF-8');
}

/** "3 episodes", "1 episode" */
function counted(int $number, string $word): string
{
    return sprintf('%d %s%s', $number, $word, $number === 1 ? '' : 's');
}
